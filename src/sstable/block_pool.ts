/**
 * Memory for blocks, in slabs, that waits to be decoded into. The block cache knows which blocks
 * are in use; the pool has those that nobody uses.
 *
 * A slab has blocks of one size. When blocks of another size are read, slabs are retired: the pool
 * forgets their spare blocks and takes no more of them. The slab is garbage when its last block is.
 */

import { Block } from "./block.ts";
import { blockCapacity, BlockSlab, nextBlockCapacity } from "./block_frame.ts";

/** The most bytes of a slab, unless it has only one block: larger ones are no better. */
const MAX_SLAB_BYTES = 256 * 1024;

/** The blocks of one size. */
interface SizeClass {
  readonly spare: Block[];
  /** How many there have been in all slabs so far. */
  made: number;
}

/** Spare blocks. */
export class BlockPool {
  /** By the size of their memory. */
  readonly #classes = new Map<number, SizeClass>();
  #spareBytes = 0;
  #isClosed = false;

  /** Bytes of spare memory. */
  get spareBytes(): number {
    return this.#spareBytes;
  }

  /** A spare block with room for `neededBytes`, or undefined if there is none. */
  take(neededBytes: number): Block | undefined {
    // Up to a quarter more than needed: adjacent blocks differ by an entry or two.
    let capacity = blockCapacity(neededBytes);
    for (let step = 0; step < 3; step++) {
      const block = this.#classes.get(capacity)?.spare.pop();
      if (block !== undefined) {
        block.slab.spareCount--;
        this.#spareBytes -= block.sizeBytes;
        return block;
      }
      capacity = nextBlockCapacity(capacity);
    }
    return undefined;
  }

  /**
   * A block of a new slab, whose other blocks are spare. The first slab has one block, and each
   * next one as many as there are: a store that is opened for a few reads has a few blocks.
   */
  grow(neededBytes: number): Block {
    const capacity = blockCapacity(neededBytes);
    const sizeClass = this.#classOf(capacity);
    const most = this.#isClosed ? 1 : Math.max(1, Math.floor(MAX_SLAB_BYTES / capacity));
    const count = Math.min(Math.max(1, sizeClass.made), most);
    sizeClass.made += count;
    const slab = new BlockSlab<Block>(count * capacity);
    for (let i = 0; i < count; i++) slab.blocks.push(new Block(slab, i * capacity, capacity));
    for (let i = count - 1; i > 0; i--) this.give(slab.blocks[i]!);
    return slab.blocks[0]!;
  }

  /** Takes a block that nobody uses. */
  give(block: Block): void {
    const { slab } = block;
    if (slab.isRetired || this.#isClosed) return;
    slab.spareCount++;
    this.#spareBytes += block.sizeBytes;
    this.#classOf(block.capacity).spare.push(block);
  }

  /**
   * The slab with the largest share of spare blocks, if there is a spare one outside of `except`.
   */
  sparsest(except: BlockSlab<Block> | undefined): BlockSlab<Block> | undefined {
    let best: BlockSlab<Block> | undefined;
    let bestShare = 0;
    for (const { spare } of this.#classes.values()) {
      for (const { slab } of spare) {
        const share = slab.spareCount / slab.blocks.length;
        if (share <= bestShare || slab === except) continue;
        best = slab;
        bestShare = share;
        if (share === 1) return best;
      }
    }
    return best;
  }

  /** Forgets the spare blocks of a slab and takes no more of them. */
  retire(slab: BlockSlab<Block>): void {
    slab.isRetired = true;
    const { capacity, sizeBytes } = slab.blocks[0]!;
    const { spare } = this.#classOf(capacity);
    let kept = 0;
    for (const block of spare) if (block.slab !== slab) spare[kept++] = block;
    spare.length = kept;
    this.#spareBytes -= slab.spareCount * sizeBytes;
    slab.spareCount = 0;
  }

  /** Drops the slabs of which all blocks are spare. They may have been used until now. */
  dropSpare(): void {
    for (const { spare } of this.#classes.values()) {
      const whole = new Set<BlockSlab<Block>>();
      for (const { slab } of spare) if (slab.spareCount === slab.blocks.length) whole.add(slab);
      for (const slab of whole) {
        this.retire(slab);
        slab.release();
      }
    }
    // The next ones begin small again.
    for (const sizeClass of this.#classes.values()) {
      if (sizeClass.spare.length === 0) sizeClass.made = 0;
    }
  }

  /** Drops what nobody uses; blocks that are given later become garbage. */
  close(): void {
    this.dropSpare();
    this.#isClosed = true;
    this.#classes.clear();
    this.#spareBytes = 0;
  }

  #classOf(capacity: number): SizeClass {
    let sizeClass = this.#classes.get(capacity);
    if (sizeClass === undefined) {
      sizeClass = { spare: [], made: 0 };
      this.#classes.set(capacity, sizeClass);
    }
    return sizeClass;
  }
}
