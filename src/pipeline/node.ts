// The contract of a node of the pipeline.
//
// A node owns an input batch. `process` takes every frame of it and leaves the batch empty: each frame is pushed into the
// input of another node, or handed to the disposal as transmitted, consumed or dropped, exactly once. A node keeps no
// frame past `process` unless it has copied it into the pool and entered it in the books as held.
//
// Nodes know their outlets by reference, given at construction, so that a frame changes hands in one store.

import type { Frame, FrameBatch } from '../packet/frame.ts';

export interface PipelineNode {
  readonly name: string;
  readonly input: FrameBatch;
  process(): void;
}

/** Something that takes frames for good: the way out of the bridge, by member. */
export interface Outlet {
  push(frame: Frame): void;
  /** Whether it takes super-frames behind outer headers (Port.cutsTunnelled); absent: it does not, or nobody asks. */
  readonly cutsTunnelled?: boolean;
}
