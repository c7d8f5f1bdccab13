/** How the texts of errors name a place in a value. */

/** How many steps of a path the text of an error shows. */
const SHOWN_STEPS = 8;

/** A path of property names and array indexes, from the outside in: `value.items[3].name`. */
export function pathText(path: readonly (string | number)[]): string {
  let text = "value";
  for (const step of path.slice(0, SHOWN_STEPS)) {
    text += typeof step === "number"
      ? `[${step}]`
      : /^[A-Za-z_$][\w$]{0,31}$/.test(step)
      ? `.${step}`
      : `[${JSON.stringify(step.slice(0, 32))}]`;
  }
  return path.length > SHOWN_STEPS ? `${text}...` : text;
}
