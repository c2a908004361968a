// The garden's rules, without a page: what a program does, block by block.
// A program is a list of "forward", "left", "right" and {repeat: times, do: [...]}.

const STEP = [
  [1, 0],
  [0, 1],
  [-1, 0],
  [0, -1],
];

export function readGarden(rows) {
  const garden = { columns: rows[0].length, rows: rows.length, flowers: [], hedges: [], start: null };
  rows.forEach((line, row) =>
    [...line].forEach((sign, column) => {
      if (sign === "F") garden.flowers.push({ column, row });
      if (sign === "#") garden.hedges.push({ column, row });
      if (sign === "S") garden.start = { column, row };
    }),
  );
  return garden;
}

export const countBlocks = (program) => program.reduce((sum, one) => sum + 1 + (one.do?.length ?? 0), 0);

const flat = (program) =>
  program.flatMap((one) => (one.do ? Array.from({ length: one.repeat }, () => one.do).flat() : [one]));

/** Every step as {column, row, heading, found}, and how it ended: "solved", "not_yet", "hedge" or "edge". */
export function walk(garden, program) {
  const found = new Set();
  let { column, row } = garden.start;
  let heading = 0;
  const trace = [];
  let end = null;
  const at = (list) => list.findIndex((place) => place.column === column && place.row === row);
  for (const block of flat(program)) {
    if (block === "left") heading -= 1;
    if (block === "right") heading += 1;
    if (block === "forward") {
      const [across, down] = STEP[((heading % 4) + 4) % 4];
      const back = { column, row };
      column += across;
      row += down;
      const outside = column < 0 || row < 0 || column >= garden.columns || row >= garden.rows;
      if (outside || at(garden.hedges) >= 0) {
        end = outside ? "edge" : "hedge";
        ({ column, row } = back);
      }
      if (!end && at(garden.flowers) >= 0) found.add(at(garden.flowers));
    }
    trace.push({ column, row, heading, found: new Set(found) });
    if (end) break;
  }
  return { trace, found: found.size, end: end ?? (found.size === garden.flowers.length ? "solved" : "not_yet") };
}
