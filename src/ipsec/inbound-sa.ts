// A security association that receives: its replay window.

import { ReplayWindow } from './replay-window.ts';
import { SaState } from './sa-state.ts';
import type { SecurityAssociationSpec } from './security-association.ts';

export class InboundSa extends SaState {
  readonly window: ReplayWindow;

  constructor(spec: SecurityAssociationSpec, key: number, madeAtMs: number) {
    super(spec, key, madeAtMs);
    this.window = new ReplayWindow(spec.replayWindow, spec.extended);
  }
}
