/**
 * The id of a store: 32 random bits, drawn when it is created. CURRENT states it, and the headers of
 * all manifests and logs; their records carry a tag that is made of it.
 */

/** What the records of a numbered file carry: a number that those of its store's other files, and of other stores, don't. */
export function fileTag(storeId: number, fileNumber: number): number {
  return (storeId ^ fileNumber) >>> 0;
}

/** The id as CURRENT and errors show it: 8 hexadecimal digits. */
export function storeIdText(storeId: number): string {
  return storeId.toString(16).padStart(8, "0");
}
