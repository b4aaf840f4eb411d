"""Makes NVML calls that come as JSON lines on stdin; run by nvml_client.py with the stand-in."""

import ctypes
import json
import math
import sys

import pynvml

from standin.clock import ManualClock


def plain(value):
    """A ctypes result as JSON."""
    if isinstance(value, pynvml.c_nvmlFieldValue_t):
        member = {0: "dVal", 1: "uiVal", 3: "ullVal"}[value.valueType]
        number = getattr(value.value, member)
        return {
            "id": value.fieldId,
            "code": value.nvmlReturn,
            "type": value.valueType,
            "value": None if isinstance(number, float) and math.isnan(number) else number,
            "at_us": value.timestamp,
        }
    if isinstance(value, pynvml.c_nvmlSample_t):
        return {"at_us": value.timeStamp, "value": value.sampleValue.uiVal}
    if isinstance(value, ctypes.Structure):
        return {name: plain(getattr(value, name)) for name, _ in value._fields_}
    if isinstance(value, pynvml.nvmlFriendlyObject):
        return {name: plain(each) for name, each in vars(value).items()}
    if isinstance(value, ctypes.Array | list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, pynvml.c_nvmlDevice_t):
        return "a handle"
    if isinstance(value, ctypes._SimpleCData):
        return value.value
    return value.decode() if isinstance(value, bytes) else value


class Server:
    """Keeps handles under names of the client's choice."""

    def __init__(self):
        self.handles = {}
        self.clock = None

    def clocked(self, path):
        self.clock = ManualClock(path)

    def keep(self, key, function, *arguments):
        self.handles[key] = getattr(pynvml, function)(*self.known(arguments))

    def ask(self, function, *arguments):
        return plain(getattr(pynvml, function)(*self.known(arguments)))

    def looks(self, key, instants):
        """(counter, 1 s mean, instant, power usage) at each instant; None where there is none."""
        rows = []
        for at_ns in instants:
            self.clock.set(at_ns)
            fields = pynvml.nvmlDeviceGetFieldValues(self.handles[key], [83, 185, 186])
            row = [plain(field)["value"] if field.nvmlReturn == 0 else None for field in fields]
            rows.append([*row, pynvml.nvmlDeviceGetPowerUsage(self.handles[key])])
        return rows

    def known(self, arguments):
        return [
            self.handles.get(each, each) if isinstance(each, str) else each for each in arguments
        ]


def main():
    server = Server()
    for line in sys.stdin:
        method, *arguments = json.loads(line)
        try:
            answer = {"ok": getattr(server, method)(*arguments)}
        except pynvml.NVMLError as error:
            answer = {"code": error.value}
        except pynvml.NVMLLibraryMismatchError:
            answer = {"code": "mismatch"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
