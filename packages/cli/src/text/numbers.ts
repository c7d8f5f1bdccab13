/** Numbers for people. */

const UNITS = ["B", "KB", "MB", "GB", "TB", "PB"];

/** A number of bytes: "12 B", "1.5 KB", "340 MB". Units are powers of 1000. */
export function bytesText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  // 999.5 would be shown as 1000.
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : 1;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}

/** A count with separators: "1,234,567". */
export function countText(count: number): string {
  return String(Math.round(count)).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** A count with its noun: "1 entry", "2 entries". */
export function countOf(
  count: number,
  one: string,
  many: string = `${one}s`,
): string {
  return `${countText(count)} ${count === 1 ? one : many}`;
}

/** A duration in seconds: "0.3 ms", "12 s", "3 min 5 s". */
export function durationText(seconds: number): string {
  if (seconds < 1) {
    return `${(seconds * 1000).toFixed(seconds < 0.01 ? 1 : 0)} ms`;
  }
  if (seconds < 100) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  const whole = Math.round(seconds);
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min ${whole % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** A moment as the clock of this machine shows it: "14:03:22". */
export function timeText(ms: number): string {
  const date = new Date(ms);
  return [date.getHours(), date.getMinutes(), date.getSeconds()]
    .map((part) => String(part).padStart(2, "0")).join(":");
}
