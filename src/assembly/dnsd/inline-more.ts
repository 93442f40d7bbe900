// Has V8 put more of what an engine calls for each question into one piece of machine code.

import { setFlagsFromString } from 'node:v8';

/** Octets of bytecode that one function may take in, of others and of one of them: V8 has 920 and 460 (flag-definitions.h). */
const ALL_INLINED_OCTETS = 4000;
const ONE_INLINED_OCTETS = 1500;

/**
 * To be called before an engine's first batch. From a frame to its reply it is a tree of some fifty small functions, of which V8 would take
 * in a part. For all threads, of which no other has such trees.
 */
export function inlineMore(): void {
  setFlagsFromString(`--max-inlined-bytecode-size-cumulative=${ALL_INLINED_OCTETS}`);
  setFlagsFromString(`--max-inlined-bytecode-size=${ONE_INLINED_OCTETS}`);
}
