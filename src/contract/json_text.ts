/**
 * JSON texts of values. `JSON.stringify` silently changes what JSON cannot express: NaN becomes
 * null, a function is left out, a Map becomes an empty object. Here all that is an error that names
 * the place.
 */

import { pathText } from "./value_path.ts";
import { describeValue } from "./value.ts";

/**
 * Which objects have a JSON text: "plain" ones and arrays, which come back equal, or those of
 * "any" class that `JSON.stringify` makes something of, as their fields or by `toJSON`.
 */
export type JsonObjects = "plain" | "any";

/**
 * The JSON text of a value. Properties that are undefined are left out, as they are in records.
 *
 * @throws {TypeError} JSON cannot express something in it; the text names the place
 */
export function jsonText(value: unknown, objects: JsonObjects): string {
  new Check(objects).item(value, "");
  const text: string | undefined = JSON.stringify(value);
  if (text !== undefined) return text;
  throw new TypeError("Cannot store the value as JSON: its toJSON makes no text of it");
}

class Check {
  readonly #objects: JsonObjects;
  readonly #path: (string | number)[] = [];
  /** The objects around the current item. */
  readonly #around = new Set<object>();

  constructor(objects: JsonObjects) {
    this.#objects = objects;
  }

  /** Checks an item that has that name in the object around it. */
  item(item: unknown, name: string): void {
    switch (typeof item) {
      case "string":
      case "boolean":
        return;
      case "number":
        if (Number.isFinite(item)) return;
        throw this.#refusal(String(item), "a finite number");
      case "object":
        if (item !== null) this.#object(item, name);
        return;
      default:
        throw this.#refusal(describeValue(item), "a value that JSON can express");
    }
  }

  #object(object: object, name: string): void {
    if (this.#around.has(object)) {
      throw this.#refusal("inside itself", "a value that JSON can express");
    }
    this.#around.add(object);
    if (Array.isArray(object)) {
      // Not by forEach, which passes over holes.
      for (let at = 0; at < object.length; at++) this.#step(at, object[at]);
    } else if (isPlain(object)) {
      this.#members(object, name);
    } else {
      if (this.#objects === "plain") {
        throw this.#refusal(describeValue(object), "an array or a plain object");
      }
      const hasForm = "toJSON" in object ||
        (Object.keys(object).length > 0 && !ArrayBuffer.isView(object));
      if (!hasForm) throw this.#refusal(describeValue(object), "a value that JSON can express");
      this.#members(object, name);
    }
    this.#around.delete(object);
  }

  #members(object: object, name: string): void {
    const { toJSON } = object as { toJSON?: unknown };
    if (this.#objects === "any" && typeof toJSON === "function") {
      return this.item(toJSON.call(object, name), name);
    }
    for (const [name, item] of Object.entries(object)) {
      if (item !== undefined) this.#step(name, item);
    }
  }

  #step(step: string | number, item: unknown): void {
    this.#path.push(step);
    this.item(item, String(step));
    this.#path.pop();
  }

  #refusal(found: string, expected: string): TypeError {
    return new TypeError(
      `Cannot store the value as JSON: ${pathText(this.#path)} is ${found}, expected ${expected}`,
    );
  }
}

/** Whether the prototype is that of plain objects, of any realm. */
function isPlain(object: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(object);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}
