/** Numbers as people read them, for the examples. */

/** 12345678 as "12.3 MB" (decimal units, as disks are sold). */
export function bytes(count: number): string {
  if (count < 1000) return `${count} B`;
  let scaled = count;
  let unit = "B";
  for (const next of ["kB", "MB", "GB", "TB"]) {
    if (scaled < 999.95) break;
    scaled /= 1000;
    unit = next;
  }
  return `${scaled.toFixed(1)} ${unit}`;
}

/** 12345678 as "12,345,678". */
export function integer(count: number): string {
  return Math.round(count).toLocaleString("en-US");
}

/** `part` of `whole` as "12.3 %"; nothing of nothing is "-". */
export function percent(part: number, whole: number): string {
  return whole === 0 ? "-" : `${(part / whole * 100).toFixed(1)} %`;
}

/** 1234 milliseconds as "1.23 s", 12.3 as "12.3 ms". */
export function duration(milliseconds: number): string {
  return milliseconds >= 1000
    ? `${(milliseconds / 1000).toFixed(2)} s`
    : `${milliseconds.toFixed(1)} ms`;
}

/** `count` things in that time as a rate a second, written by `format`. */
export function rate(
  count: number,
  milliseconds: number,
  format: (count: number) => string = integer,
): string {
  return `${format(Math.round(count / Math.max(milliseconds, 0.001) * 1000))}/s`;
}
