// The mode `topology` for members: the highest score that the records of topology give for the client.

import { type Client, topologyClassOf, type TopologyScores } from '../client.ts';
import { MEMBER_NUMBERS, MemberField } from '../tables.ts';
import type { Candidates } from './candidates.ts';

/** Gives each member its score; no record is as good as one of score 0, and those are dropped where they do not count. */
export function rateByTopology(
  candidates: Candidates,
  members: Int32Array,
  scores: TopologyScores,
  client: Client,
  allowsZero: boolean,
): void {
  const { rows, values, count } = candidates;
  const topologyClass = topologyClassOf(client, scores);
  let kept = 0;
  for (let index = 0; index < count; index++) {
    const row = rows[index]!;
    const score = Math.max(0, scores.score(topologyClass, members[row * MEMBER_NUMBERS + MemberField.subject]!));
    if (score === 0 && !allowsZero) continue;
    rows[kept] = row;
    values[kept++] = score;
  }
  candidates.count = kept;
}
