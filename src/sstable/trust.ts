/**
 * Which tables can be believed: those with checksums over all their bytes, as in every table that
 * we write. In a table of another program (the Go TinyKVS) only the data blocks have them.
 *
 * What follows for a table that is not trusted:
 *
 * - Its filter is not used: one flipped bit in it would hide a key (store/read/point_lookup.ts).
 * - Its index may name the wrong block. A search that ends between two blocks loads the second one
 *   as well, because decoding a block checks its first key (point_lookup.ts,
 *   sstable/table_cursor.ts).
 * - A full compaction rewrites it (compaction/picker.ts).
 */

/** Whether a table can be believed: it is, if there is a checksum over its metadata and footer. */
export function isTrusted({ checksum }: { readonly checksum: number | undefined }): boolean {
  return checksum !== undefined;
}
