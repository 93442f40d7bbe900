// Decisions that the thread of an engine has made since it last told them.

import { say } from './engine-requests.ts';
import type { VersionedDecision } from './source-data.ts';

/** More between two batches are counted, and told to nobody. */
const MOST = 256;

let decisions: VersionedDecision[] = [];
let lost = 0;

export function noteDecision(decision: VersionedDecision): void {
  if (decisions.length < MOST) decisions.push(decision);
  else lost++;
}

/** Tells the main thread; to be called behind each batch. */
export function tellDecisions(): void {
  if (decisions.length === 0) return;
  say({ kind: 'decided', decisions, lost });
  decisions = [];
  lost = 0;
}
