-- Places inside a site: what its books know holds there too, where nothing is stated of the place alone.

ALTER TABLE site ADD COLUMN within VARCHAR;
ALTER TABLE site ADD COLUMN elsewhere BOOLEAN;
