/**
 * The id of a store: 32 random bits, chosen when it is created. CURRENT states it, and so do the
 * headers of all manifests and logs; their records carry a tag that is made from it.
 */

/**
 * The tag in the records of a numbered file. The records of the store's other files, and of other
 * stores, have different tags.
 */
export function fileTag(storeId: number, fileNumber: number): number {
  return (storeId ^ fileNumber) >>> 0;
}

/** The id as CURRENT and errors show it: 8 hexadecimal digits. */
export function storeIdText(storeId: number): string {
  return storeId.toString(16).padStart(8, "0");
}
