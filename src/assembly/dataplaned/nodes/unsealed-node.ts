// In place of outbound IPsec where there are no ciphers: what a selector protects is dropped, rather than sent as it is.

import { Drop } from '../../../core/drop-reason.ts';
import type { FrameBatch } from '../../../packet/frame.ts';
import type { Disposal } from '../../../pipeline/disposal.ts';
import type { PipelineNode } from '../../../pipeline/node.ts';
import type { IpsecGate } from '../ipsec-gate.ts';

export class UnsealedNode implements PipelineNode {
  readonly name = 'unsealed';
  readonly input: FrameBatch;
  readonly #gate: IpsecGate;
  readonly #disposal: Disposal;

  constructor(gate: IpsecGate, disposal: Disposal) {
    this.input = gate.toSeal;
    this.#gate = gate;
    this.#disposal = disposal;
  }

  process(): void {
    const { frames, length } = this.input;
    for (let index = 0; index < length; index++) {
      const frame = frames[index]!;
      this.#disposal.drop(frame, Drop.ipsecNoSa, this.#gate.policies.get(frame.protection - 1)?.row ?? 0);
    }
    this.input.clear();
  }
}
