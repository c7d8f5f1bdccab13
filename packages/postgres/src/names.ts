/** The names of the store's tables. They are the only texts of a caller that become part of SQL. */

/** The store's objects, as SQL writes them: quoted, with their schema. */
export interface Names {
  /** The table and its schema without quotes, for texts of errors. */
  readonly shown: string;
  /** The schema. */
  readonly schema: string;
  /** Keys and values. */
  readonly table: string;
  /** One row: the version of the format, and until when somebody watches. */
  readonly meta: string;
  /** Commits, while somebody watches. */
  readonly log: string;
  /** The last write of each handle, so that a repeated one is not applied twice. */
  readonly sessions: string;
  /** The versions of rows. */
  readonly sequence: string;
  /** The function that writes. */
  readonly write: string;
  /** The functions that begin and go on with watching. */
  readonly watch: string;
  readonly renew: string;
  /** The channel of NOTIFY. */
  readonly channel: string;
}

/** An identifier of PostgreSQL has at most 63 bytes, and the suffixes need some. */
const MAX_NAME_LENGTH = 40;

/**
 * Checks and quotes the names.
 *
 * @throws {TypeError | RangeError} a name is not a plain identifier
 */
export function namesOf(table: string, schema: string): Names {
  requireName("table", table);
  requireName("schema", schema);
  const quoted = (name: string): string => `"${schema}"."${name}"`;
  return {
    shown: `${schema}.${table}`,
    schema: `"${schema}"`,
    table: quoted(table),
    meta: quoted(`${table}_meta`),
    log: quoted(`${table}_log`),
    sessions: quoted(`${table}_sessions`),
    sequence: quoted(`${table}_versions`),
    write: quoted(`${table}_write_1`),
    watch: quoted(`${table}_watch_1`),
    renew: quoted(`${table}_renew_1`),
    channel: `tinykvs_${table}`,
  };
}

function requireName(what: string, name: unknown): void {
  if (typeof name !== "string") {
    throw new TypeError(
      `Cannot open the store: "${what}" is ${typeof name}, expected a string`,
    );
  }
  if (/^[a-z_][a-z0-9_]*$/.test(name) && name.length <= MAX_NAME_LENGTH) return;
  throw new RangeError(
    `Cannot open the store: "${what}" is ${
      JSON.stringify(name.slice(0, 64))
    }, expected a name of ` +
      `at most ${MAX_NAME_LENGTH} letters a to z, digits and "_", that begins with no digit`,
  );
}
