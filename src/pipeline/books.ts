// The books of a data plane: where every frame came from and where it ended.
//
//   received + originated + copies = transmitted + consumed + dropped + held
//
// holds whenever no frame is between two nodes. One thread writes; others read the same shared memory.

export const Book = {
  /** Handed over by a port. */
  received: 0,
  /** Made here: ARP requests, replies, segments of a super-frame. */
  originated: 1,
  /** Additional instances that flooding made. */
  copies: 2,
  /** Accepted by a port. */
  transmitted: 3,
  /** Ended here on purpose: answered, absorbed, or replaced by its segments. */
  consumed: 4,
  dropped: 5,
  /** Waiting for a neighbour; the only entry that also falls. */
  held: 6,
} as const;

export const BOOK_COUNT = 7;

export type Books = Float64Array;

export function createBooks(): Books {
  return new Float64Array(new SharedArrayBuffer(BOOK_COUNT * 8));
}

/** By how much the books are out; 0 when they balance. */
export function imbalance(books: Books): number {
  const came = books[Book.received]! + books[Book.originated]! + books[Book.copies]!;
  const went = books[Book.transmitted]! + books[Book.consumed]! + books[Book.dropped]! + books[Book.held]!;
  return came - went;
}
