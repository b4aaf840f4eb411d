// Draws one dashboard with Grafana's own parts, from answers that were asked for before: see take.py.
import {
  applyFieldOverrides, cacheFieldDisplayNames, createTheme, dateTime, FieldType, getFieldDisplayValues, Registry,
  standardTransformers, standardTransformersRegistry, toDataFrame, transformDataFrame,
  VizOrientation,
} from '@grafana/data';
import { BarGauge, BigValue, GlobalStyles, PanelChrome, ThemeContext, TimeSeries, VizRepeater } from '@grafana/ui';
import { TableNG } from '@grafana/ui/unstable';
import { createRoot } from 'react-dom/client';
import { lastValueFrom } from 'rxjs';
import 'uplot/dist/uPlot.min.css';

const { board, chosen, answers, from, to } = window.TAKEN;
const drawn = Date.now(), now = Date.now;
Date.now = () => to + now.call(Date) - drawn;  // "minutes ago" counts from when it was asked
const theme = createTheme({ colors: { mode: 'dark' } });
const range = { from: dateTime(from), to: dateTime(to), raw: { from: dateTime(from), to: dateTime(to) } };
const CELL = 38, GAP = 8;  // of Grafana's grid: rows of 30 px and gaps of 8

const transformers = new Map(Object.values(standardTransformers).map((one) => [one.id, one]));  // some stand there twice
standardTransformersRegistry.setInit(() =>
  [...transformers.values()].map((one) => ({
    id: one.id, name: one.name, transformation: () => Promise.resolve(one),
    description: '', editor: () => null, imageDark: '', imageLight: '',
  })));

// What Grafana's own panels begin with, where a dashboard says nothing.
const BEGIN = {
  timeseries: {
    drawStyle: 'line', lineInterpolation: 'linear', showPoints: 'auto', pointSize: 5,
    axisPlacement: 'auto', axisColorMode: 'text', barAlignment: 0, fillOpacity: 0, lineWidth: 1,
    gradientMode: 'none', spanNulls: false, hideFrom: { tooltip: false, viz: false, legend: false },
    scaleDistribution: { type: 'linear' }, stacking: { mode: 'none', group: 'A' },
    thresholdsStyle: { mode: 'off' },
  },
  table: { align: 'auto', cellOptions: { type: 'auto' }, inspect: false, filterable: false,
    width: undefined },
};
const STANDARD = ['unit', 'min', 'max', 'decimals', 'displayName', 'color', 'thresholds', 'mappings', 'links', 'noValue'];

function registryOf(panel) {
  const own = new Set(Object.keys(panel.fieldConfig.defaults.custom ?? {}));
  const item = (id, path, isCustom) => ({
    id, path, isCustom, name: id, process: (value) => value, override: () => null, editor: () => null,
    shouldApply: () => true,
  });
  return new Registry(() => [
    ...STANDARD.map((id) => item(id, id, false)),
    ...[...own, 'hideFrom.viz'].map((id) => item(`custom.${id}`, id, true)),
  ]);
}

const named = (legend, labels) => {
  const text = legend.replace(/\{\{\s*(\w+)\s*\}\}/g, (_, label) => labels[label] ?? '');
  if (text && text !== '__auto') return text;
  return Object.entries(labels).map(([k, v]) => `${k}="${v}"`).join(', ');
};

// As the data source for Prometheus makes frames of answers.
function framesOf(panel) {
  return panel.targets.flatMap((target) => {
    const found = answers[panel.id][target.refId];
    if (target.format === 'table') {
      const labels = [...new Set(found.flatMap((one) => Object.keys(one.metric)))].sort();
      const value = panel.targets.length > 1 ? `Value #${target.refId}` : 'Value';
      return [toDataFrame({ refId: target.refId, fields: [
        { name: 'Time', type: FieldType.time, values: found.map((one) => one.value[0] * 1000) },
        ...labels.map((name) => ({ name, type: FieldType.string, values: found.map((one) => one.metric[name] ?? '') })),
        { name: value, type: FieldType.number, values: found.map((one) => Number(one.value[1])) },
      ] })];
    }
    return found.map((one) => {
      const points = one.values ?? [one.value];
      return toDataFrame({ refId: target.refId, fields: [
        { name: 'Time', type: FieldType.time, values: points.map(([at]) => at * 1000) },
        { name: 'Value', type: FieldType.number, labels: one.metric,
          values: points.map(([, value]) => (value === 'NaN' ? null : Number(value))),
          config: { displayNameFromDS: named(target.legendFormat, one.metric) } },
      ] });
    });
  });
}

const replace = (text) => text.replace(/\$\{?(\w+)\}?/g, (all, name) => chosen[name] ?? all);

function configured(panel, frames) {
  const { defaults, overrides } = panel.fieldConfig;
  const custom = { ...BEGIN[panel.type], ...defaults.custom };
  const color = panel.type === 'timeseries' ? { mode: 'palette-classic' } : { mode: 'thresholds' };
  const fieldConfig = { defaults: { color, ...defaults, custom }, overrides };
  const described = { ...panel, fieldConfig };
  const found = applyFieldOverrides({
    data: frames, fieldConfig, replaceVariables: replace, theme, timeZone: 'utc',
    fieldConfigRegistry: registryOf(described),
  });
  cacheFieldDisplayNames(found);
  return found;
}

const values = (panel, frames) => getFieldDisplayValues({
  fieldConfig: panel.fieldConfig, reduceOptions: panel.options.reduceOptions, replaceVariables: replace,
  theme, data: frames, sparkline: false, timeZone: 'utc',
});

const PARTS = {
  timeseries: ({ panel, frames, width, height }) => (
    <TimeSeries frames={frames} structureRev={1} timeRange={range} timeZone="utc" width={width} height={height}
      legend={{ ...panel.options.legend, displayMode: panel.options.legend.displayMode }} options={panel.options} />),
  stat: ({ panel, frames, width, height }) => (
    <VizRepeater source={frames} renderCounter={1} width={width} height={height} autoGrid orientation={VizOrientation.Auto}
      getValues={() => values(panel, frames)}
      renderValue={({ value, width, height, count }) => (
        <BigValue value={value.display} theme={theme} width={width} height={height} count={count}
          colorMode={panel.options.colorMode} graphMode={panel.options.graphMode} justifyMode={panel.options.justifyMode}
          textMode={panel.options.textMode} wideLayout={panel.options.wideLayout} />)} />),
  bargauge: ({ panel, frames, width, height }) => (
    <VizRepeater source={frames} renderCounter={1} width={width} height={height} itemSpacing={10}
      orientation={panel.options.orientation} minVizWidth={panel.options.minVizWidth}
      minVizHeight={panel.options.minVizHeight} maxVizHeight={panel.options.maxVizHeight}
      getValues={() => values(panel, frames)}
      renderValue={({ value, width, height, orientation }) => (
        <BarGauge value={value.display} field={value.field} display={value.view?.getFieldDisplayProcessor(value.colIndex)}
          theme={theme} width={width} height={height} orientation={orientation} itemSpacing={10} text={panel.options.text}
          displayMode={panel.options.displayMode} showUnfilled={panel.options.showUnfilled}
          valueDisplayMode={panel.options.valueMode} namePlacement={panel.options.namePlacement} />)} />),
  table: ({ panel, frames, width, height }) => (
    <TableNG data={frames[0]} width={width} height={height} cellHeight={panel.options.cellHeight}
      sortBy={panel.options.sortBy} fieldConfig={panel.fieldConfig} structureRev={1} />),
};

function Panel({ panel, frames, cell }) {
  const { x, y, w, h } = panel.gridPos;
  const box = { position: 'absolute', left: x * cell + GAP / 2, top: y * CELL, width: w * cell - GAP, height: h * CELL - GAP };
  if (panel.type === 'row') {
    return <div style={{ ...box, color: theme.colors.text.primary, fontSize: 16, fontWeight: 500, paddingTop: 6 }}>{panel.title}</div>;
  }
  const Part = PARTS[panel.type];
  const some = frames.some((frame) => frame.length > 0);
  return (
    <div style={box}>
      <PanelChrome title={panel.title} description={panel.description} width={box.width} height={box.height}>
        {(width, height) => some ? <Part {...{ panel, frames, width, height }} /> : (
          <div style={{ width, height, display: 'grid', placeItems: 'center', color: theme.colors.text.secondary }}>No data</div>)}
      </PanelChrome>
    </div>);
}

function Board({ drawn }) {
  const width = window.innerWidth;
  const rows = Math.max(...board.panels.map(({ gridPos }) => gridPos.y + gridPos.h));
  const choices = board.templating.list.slice(1).map((one) => `${one.label ?? one.name}: ${chosen[one.name] === '.+' ? 'All' : chosen[one.name]}`);
  return (
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <h1 style={{ font: `500 20px ${theme.typography.fontFamily}`, color: theme.colors.text.primary, margin: '12px 12px 4px' }}>{board.title}</h1>
      <p style={{ color: theme.colors.text.secondary, margin: '0 12px 12px' }}>{choices.join(' · ')} · {range.from.utc().format('YYYY-MM-DD HH:mm')} to {range.to.utc().format('HH:mm')} UTC</p>
      <div id="board" style={{ position: 'relative', height: rows * CELL + GAP }}>
        {drawn.map(({ panel, frames }) => <Panel key={panel.id} {...{ panel, frames }} cell={width / 24} />)}
      </div>
    </ThemeContext.Provider>);
}

async function draw() {
  const drawn = [];
  for (const panel of board.panels) {
    let frames = [];
    if (panel.type !== 'row') {
      frames = framesOf(panel);
      if (panel.transformations?.length) {
        frames = await lastValueFrom(transformDataFrame(panel.transformations, frames, { interpolate: replace }));
      }
      frames = configured(panel, frames);
    }
    drawn.push({ panel, frames });
  }
  document.body.style.background = theme.colors.background.canvas;
  createRoot(document.getElementById('root')).render(<Board drawn={drawn} />);
}

draw().catch((error) => {
  document.body.textContent = `cannot be drawn: ${error.stack}`;
});
