// Runs the nodes of the pipeline: all of them in their order, again while anything is left to do.
//
// Decapsulated frames go back to the bridge, so one breath takes more than one round: two for a tunnel, more for tunnels
// that carry one another. A configuration in which they carry one another in a circle would never end; the last round
// drops what is left.

import { Drop } from '../core/drop-reason.ts';
import type { Disposal } from './disposal.ts';
import type { PipelineNode } from './node.ts';

const MAX_ROUNDS = 8;

export class Scheduler {
  readonly #nodes: readonly PipelineNode[];
  readonly #disposal: Disposal;

  /** `nodes` in the order in which frames usually pass them. */
  constructor(nodes: readonly PipelineNode[], disposal: Disposal) {
    this.#nodes = nodes;
    this.#disposal = disposal;
  }

  /** Takes every frame in the inputs of the nodes to its end. */
  run(): void {
    const nodes = this.#nodes;
    for (let round = 0; round < MAX_ROUNDS; round++) {
      let busy = false;
      for (let index = 0; index < nodes.length; index++) {
        const node = nodes[index]!;
        if (node.input.length === 0) continue;
        busy = true;
        node.process();
      }
      if (!busy) return;
    }
    for (const node of nodes) {
      for (let index = 0; index < node.input.length; index++) {
        this.#disposal.drop(node.input.frames[index]!, Drop.pipelineLoop, 0);
      }
      node.input.clear();
    }
  }
}
