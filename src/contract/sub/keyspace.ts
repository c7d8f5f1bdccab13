/**
 * Converts the keys, ranges and values of a sub to those of its store, and back. Subs of a store, a
 * batch, a transaction and a snapshot all use these functions.
 */

import { messageOf, StoreError } from "../../errors.ts";
import { deletedRange, ownRange, type Range } from "../range.ts";
import { compareKeys } from "../rules.ts";
import { decodeUtf8, encodeUtf8 } from "../utf8.ts";
import { describeValue, isBytes, type Key, MAX_KEY_BYTES, type Value } from "../value.ts";
import type { DeletedRange } from "../range.ts";
import type { Operation } from "../writer.ts";
import { type KeyCodec, tuple } from "./key_codec.ts";
import { namesOf, prefixOf } from "./sub_path.ts";
import { shownBytes } from "./tuple.ts";
import { bindValueCodec, type BoundValueCodec } from "./value_codec.ts";

/** The keys and values of one sub. It takes `K` and `ValueIn`, and shows `KeyOut` and `V`. */
export class Keyspace<K, V, KeyOut, ValueIn> {
  /** The names on the path from the store to the sub. */
  readonly path: readonly string[];
  /** The name of the sub in errors. */
  readonly shown: string;
  /** Whether the sub uses the store's values unchanged. */
  readonly hasStoreValues: boolean;
  readonly #text: string;
  readonly #bytes: Uint8Array;
  readonly #keys: "store" | "utf8" | "bytes" | KeyCodec<K, KeyOut>;
  readonly #values: BoundValueCodec | undefined;

  /** @throws {TypeError | RangeError} the path or a choice is not valid */
  constructor(path: string | readonly string[], options: SubChoices | undefined) {
    this.path = namesOf(path);
    const { text, bytes } = prefixOf(this.path);
    this.#text = text;
    this.#bytes = bytes;
    this.shown = this.path.map((name) => JSON.stringify(name)).join("/");
    const { key, value } = ownChoices(options, this.shown);
    this.#keys = keyCodec<K, KeyOut>(key, this.shown);
    this.#values = bindValueCodec(value, this.shown);
    this.hasStoreValues = this.#values === undefined;
  }

  /** The store's key. @throws {TypeError | RangeError} `key` cannot be a key of the sub */
  key(key: K): Key {
    const codec = this.#keys;
    if (typeof codec === "object") return this.#prefixed(this.#encoded(codec.encode(key)));
    if (typeof key === "string" && codec !== "bytes") {
      // Keep text as text, which a store takes as fast as its own keys. A character takes at most
      // three bytes.
      if ((this.#text.length + key.length) * 3 > MAX_KEY_BYTES) this.#checkLength(encodeUtf8(key));
      return this.#text + key;
    }
    if (isBytes(key) && codec !== "utf8") return this.#prefixed(key);
    const expected = { store: "a string or a Uint8Array", utf8: "a string", bytes: "a Uint8Array" };
    throw new TypeError(
      `Cannot encode key: found ${describeValue(key)}, expected ${
        expected[codec]
      } as key of sub ${this.shown}`,
    );
  }

  /**
   * Converts a key of the store, as text or bytes, to the sub's key.
   *
   * @throws {StoreError} code `KEY_ENCODING`
   */
  keyOf(key: string | Uint8Array): KeyOut {
    if (typeof key === "string") return key.slice(this.#text.length) as KeyOut;
    const own = key.subarray(this.#bytes.length);
    const codec = this.#keys;
    if (typeof codec !== "object") return own as KeyOut;
    try {
      return codec.decode(own);
    } catch (error) {
      throw new StoreError(
        "KEY_ENCODING",
        `Cannot read key ${shownBytes(own)} of sub ${this.shown}: ${messageOf(error)}`,
        { cause: error },
      );
    }
  }

  /**
   * The encoding in which the store has to show keys for this sub, or undefined if both are
   * possible.
   */
  get keyEncoding(): "utf8" | "bytes" | undefined {
    const codec = this.#keys;
    if (codec === "store") return undefined;
    return codec === "utf8" ? "utf8" : "bytes";
  }

  /** The store's range. @throws {TypeError | RangeError} it is not a range of the sub */
  range(given: Range<K> = {}): Range {
    const { prefix, gte, gt, lte, lt, reverse, limit, signal, keyEncoding } = ownRange(given);
    const range: Range = { prefix: prefix === undefined ? this.#whole() : this.key(prefix as K) };
    if (gte !== undefined) range.gte = this.key(gte as K);
    if (gt !== undefined) range.gt = this.key(gt as K);
    if (lte !== undefined) range.lte = this.key(lte as K);
    if (lt !== undefined) range.lt = this.key(lt as K);
    if (reverse !== undefined) range.reverse = reverse;
    if (limit !== undefined) range.limit = limit;
    if (signal !== undefined) range.signal = signal;
    const codec = this.#keys;
    if (prefix !== undefined && typeof codec === "object" && codec.endOfPrefix !== undefined) {
      const end = this.#prefixed(this.#encoded(codec.endOfPrefix(prefix as K)));
      const { lt } = range;
      // With a codec, all bounds are bytes.
      if (lt === undefined || compareKeys(end, lt as Uint8Array) < 0) range.lt = end;
    }
    const own = this.keyEncoding;
    if (keyEncoding !== undefined && own !== undefined && keyEncoding !== own) {
      throw new TypeError(
        `Cannot use the range: "keyEncoding" is ${JSON.stringify(keyEncoding)}, ` +
          `but sub ${this.shown} has its own kind of keys`,
      );
    }
    const encoding = own ?? keyEncoding;
    if (encoding !== undefined) range.keyEncoding = encoding;
    return range;
  }

  /** The store's range of a deletion. @throws {TypeError | RangeError} it is not valid */
  deletedRange(given: DeletedRange<K>): DeletedRange {
    const { keyEncoding: _, ...bounds } = this.range(deletedRange(given));
    return bounds;
  }

  /**
   * Converts a deleted range of the store, which lies in the sub, to the sub's. A bound that is no
   * key of the sub's kind is shown as its bytes: the first key after a prefix for example.
   */
  deletedRangeOf({ gte, lt }: DeletedRange): DeletedRange<KeyOut> {
    const range: DeletedRange<Key> = {};
    const lower = gte === undefined ? undefined : this.#boundOf(gte);
    const upper = lt === undefined ? undefined : this.#boundOf(lt);
    if (lower !== undefined) range.gte = lower;
    if (upper !== undefined) range.lt = upper;
    return range as DeletedRange<KeyOut>;
  }

  /** The sub's form of a bound; undefined if it is the first key of the sub or after the last. */
  #boundOf(bound: Key): Key | undefined {
    const own = typeof bound === "string"
      ? bound.startsWith(this.#text) ? bound.slice(this.#text.length) : ""
      : compareKeys(bound.subarray(0, this.#bytes.length), this.#bytes) === 0
      ? bound.subarray(this.#bytes.length)
      : this.#bytes.subarray(0, 0);
    if (own.length === 0) return undefined;
    if (typeof this.#keys !== "object" || typeof own === "string") return own;
    try {
      return this.#keys.decode(own) as Key;
    } catch {
      return own;
    }
  }

  /** The store's value. @throws {TypeError | RangeError | ValidationError} it cannot be stored */
  value(value: ValueIn): Value {
    if (this.#values === undefined) return value as Value;
    const stored = this.#values.encode(value);
    if (stored !== undefined) return stored;
    throw new TypeError(
      `Cannot store the value in sub ${this.shown}: its codec makes undefined of it`,
    );
  }

  /**
   * Converts a stored value to the sub's value. `key` is the store's key.
   *
   * @throws {TypeMismatchError} it is not a value of the sub
   */
  valueOf(stored: Value, key: Key): V {
    return this.#values === undefined
      ? stored as V
      : this.#values.decode(stored, () => this.#shownKey(key)) as V;
  }

  /** As `valueOf`. A missing value stays undefined. */
  valueIfAny(stored: Value | undefined, key: Key): V | undefined {
    return stored === undefined ? undefined : this.valueOf(stored, key);
  }

  /**
   * The store's operation. Converts a put. Copies the fields of any other operation, with its key
   * converted.
   */
  operation(operation: Operation<K, ValueIn>): Operation {
    // The store refuses it if it is not an operation.
    if (typeof operation !== "object" || operation === null) return operation;
    if (operation.type === "deleteRange") {
      const { range } = operation;
      return { ...operation, range: this.deletedRange(range) } as Operation;
    }
    const own = { ...operation } as Exclude<Operation, { type: "deleteRange" }>;
    if (Object.hasOwn(own, "key")) own.key = this.key(operation.key);
    if (operation.type === "put" && own.type === "put") own.value = this.value(operation.value);
    return own;
  }

  /** All keys of the sub, as a prefix: bytes if the bounds are bytes. */
  #whole(): Key {
    return typeof this.#keys === "object" ? this.#bytes : this.#text;
  }

  #encoded(bytes: Uint8Array): Uint8Array {
    if (isBytes(bytes)) return bytes;
    throw new TypeError(
      `Cannot encode key: the codec of sub ${this.shown} makes ${
        describeValue(bytes)
      } of it, expected a Uint8Array`,
    );
  }

  #prefixed(key: Uint8Array): Uint8Array {
    this.#checkLength(key);
    const bytes = new Uint8Array(this.#bytes.length + key.length);
    bytes.set(this.#bytes);
    bytes.set(key, this.#bytes.length);
    return bytes;
  }

  #checkLength(key: Uint8Array): void {
    const length = this.#bytes.length + key.length;
    if (length <= MAX_KEY_BYTES) return;
    throw new RangeError(
      `Cannot encode key: its length is ${key.length} bytes, expected at most ${
        MAX_KEY_BYTES - this.#bytes.length
      } in sub ${this.shown}`,
    );
  }

  #shownKey(key: Key): string {
    const text = typeof key === "string"
      ? key.slice(this.#text.length)
      : decodeUtf8(key.subarray(this.#bytes.length));
    return text !== undefined && typeof this.#keys !== "object"
      ? JSON.stringify(text.length > 64 ? `${text.slice(0, 64)}...` : text)
      : shownBytes((key as Uint8Array).subarray(this.#bytes.length));
  }
}

/** The kinds of a sub's keys and values. */
export interface SubChoices {
  /** The kind of keys. */
  readonly key?: unknown;
  /** The kind of values. */
  readonly value?: unknown;
}

function ownChoices(options: SubChoices | undefined, shown: string): SubChoices {
  if (options === undefined) return {};
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`Cannot make sub ${shown}: found ${describeValue(options)} as options`);
  }
  for (const name of Object.keys(options)) {
    if (name !== "key" && name !== "value") {
      throw new TypeError(
        `Cannot make sub ${shown}: unknown option "${name}", expected "key" or "value"`,
      );
    }
  }
  const own: { key?: unknown; value?: unknown } = {};
  if (Object.hasOwn(options, "key")) own.key = options.key;
  if (Object.hasOwn(options, "value")) own.value = options.value;
  return own;
}

function keyCodec<K, KeyOut>(
  choice: unknown,
  shown: string,
): "store" | "utf8" | "bytes" | KeyCodec<K, KeyOut> {
  switch (choice) {
    case undefined:
    case "store":
      return "store";
    case "utf8":
    case "bytes":
      return choice;
    case "tuple":
      return tuple() as unknown as KeyCodec<K, KeyOut>;
  }
  const codec = choice as Partial<KeyCodec<K, KeyOut>> | null;
  if (typeof codec?.encode === "function" && typeof codec.decode === "function") {
    return codec as KeyCodec<K, KeyOut>;
  }
  const found = typeof choice === "string" ? JSON.stringify(choice) : describeValue(choice);
  throw new TypeError(
    `Cannot make sub ${shown}: "key" is ${found}, expected "store", "utf8", "bytes", "tuple", ` +
      "or a codec with encode and decode",
  );
}
