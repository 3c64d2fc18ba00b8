"""Stack frames of the functions in an assembly file, the largest first: ./frames.py FILE.s [HOW MANY]"""

import re
import sys


def frames(lines):
    literals = {m[1]: int(m[2]) for line in lines if (m := re.match(r"\s*\.literal (\S+), (-?\d+)$", line))}
    function, seen, registers = None, 0, {}
    for line in lines:
        if (m := re.match(r"(\w[\w.$]*):", line)) and not m[1].startswith(".L"):
            function, seen, registers = m[1], 0, {}
        elif function and seen < 14 and re.match(r"\s+\w", line):
            seen += 1
            if m := re.match(r"\s*addi\s+a1, a1, (-\d+)", line):
                yield -int(m[1]), function
                function = None
            elif m := re.match(r"\s*movi\s+(\w+), (-?\d+)", line):
                registers[m[1]] = int(m[2])
            elif (m := re.match(r"\s*l32r\s+(\w+), (\S+)", line)) and m[2] in literals:
                registers[m[1]] = literals[m[2]]
            elif (m := re.match(r"\s*addmi\s+(\w+), (\w+), (-?\d+)", line)) and m[2] in registers:
                registers[m[1]] = registers[m[2]] + int(m[3])
            elif (m := re.match(r"\s*(?:add|sub)\s+(\w+), a1, (\w+)", line)) and m[2] in registers:
                yield abs(registers[m[2]]), function
                function = None


if __name__ == "__main__":
    found = sorted(frames(open(sys.argv[1]).read().split("\n")), reverse=True)
    for size, function in found[: int(sys.argv[2]) if len(sys.argv) > 2 else 25]:
        print(f"{size:6} {function}")
