/** URLs as callers pass them for paths: those of any realm, of jsdom, and of the runtime. */

/** Whether this is a URL object, whichever class it is of. */
export function isUrl(value: unknown): value is URL {
  return typeof value === "object" && value !== null && "href" in value && "protocol" in value &&
    typeof value.href === "string" && typeof value.protocol === "string";
}
