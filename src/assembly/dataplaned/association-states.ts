// What the worker and the main thread tell each other of security associations, on shared memory: a row of doubles for each, by its id.
//
// The main thread hands in the sequence numbers that it has reserved on disk, the worker says how far it is. Each cell has one
// writer; a double is written in one store.

import { MAX_ASSOCIATIONS } from '../../config/types/net-ipsec-manual-security-association.ts';
import type { Association } from '../../ipsec/association-database.ts';

export const AssociationCell = {
  /**
   * By the main thread: sequence numbers from `reservedFirst` to `reservedEnd` - 1 may be used with the keys of handle `key`.
   * `key` is written first and read last, `reservedEnd` the other way round.
   */
  reservedFirst: 0,
  reservedEnd: 1,
  /** By the worker: the number that the next packet will have, and the highest that was received. */
  next: 2,
  received: 3,
  /** By the worker: 1 soft, 2 hard lifetime reached. */
  lifetime: 4,
  /** By the worker: second of its clock in which a packet last came or went. */
  usedSecond: 5,
  key: 6,
} as const;

const STRIDE = 8;
const HALF = 0x1_0000_0000;
const NO_KEY = -1;

/** `lifetime` of a row. */
export const SOFT_LIFETIME = 1;
export const HARD_LIFETIME = 2;

export const createAssociationStates = (): SharedArrayBuffer => new SharedArrayBuffer(MAX_ASSOCIATIONS * STRIDE * 8);

export class AssociationStates {
  readonly #cells: Float64Array;

  constructor(buffer: SharedArrayBuffer) {
    this.#cells = new Float64Array(buffer);
  }

  read(id: number, cell: number): number {
    return this.#cells[id * STRIDE + cell]!;
  }

  /** For another association with this id: by the main thread, before the worker is told of it. */
  clear(id: number): void {
    this.#cells[id * STRIDE + AssociationCell.key] = NO_KEY;
    this.#cells.fill(0, id * STRIDE, id * STRIDE + AssociationCell.key);
  }

  /** By the main thread. */
  reserve(id: number, key: number, first: number, end: number): void {
    this.#cells[id * STRIDE + AssociationCell.key] = key;
    this.#cells[id * STRIDE + AssociationCell.reservedFirst] = first;
    this.#cells[id * STRIDE + AssociationCell.reservedEnd] = end;
  }

  /**
   * By the worker: takes over what has been reserved since, and says how far it is. What is reserved for the successor of an
   * association, under the same id but with other keys, is left to that.
   */
  refill({ outbound, spec: { id, key } }: Association): void {
    const base = id * STRIDE;
    this.#cells[base + AssociationCell.next] = outbound.nextSequence;
    const end = this.#cells[base + AssociationCell.reservedEnd]!;
    const first = Math.max(this.#cells[base + AssociationCell.reservedFirst]!, outbound.reservedEnd);
    // Where the main thread is just writing, `first` may be that of the block behind `end`.
    if (end > first && this.#cells[base + AssociationCell.key] === key) outbound.reserve(first, end);
  }

  /** By the worker, a few times a second. */
  publish({ inbound, outbound, spec: { id } }: Association, second: number): void {
    const cells = this.#cells;
    const base = id * STRIDE;
    const { topHigh, topLow } = inbound.window;
    const received = topHigh * HALF + topLow;
    const next = outbound.nextSequence;
    if (cells[base + AssociationCell.next] !== next || cells[base + AssociationCell.received] !== received) {
      cells[base + AssociationCell.usedSecond] = second;
    }
    cells[base + AssociationCell.next] = next;
    cells[base + AssociationCell.received] = received;
    const isHard = inbound.hardDue || outbound.hardDue;
    const isSoft = inbound.softDue || outbound.softDue;
    cells[base + AssociationCell.lifetime] = isHard ? HARD_LIFETIME : isSoft ? SOFT_LIFETIME : 0;
  }
}
