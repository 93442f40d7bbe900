// Where wide IPs stand in front of zones: what a responder asks first, whatever it is made of.

import type { Query } from './query.ts';
import type { Reply } from './reply.ts';
import type { Sender } from './sender.ts';
import type { AnswerMeans } from './zone-answer.ts';

export const WideIpVerdict = {
  /** No wide IP has the name, or one below it. */
  none: 0,
  /** The reply says it. */
  answered: 1,
  /** There shall be no reply (drop-packet). */
  dropped: 2,
  /** One has the name, but not this type, or gives the question back (return-to-dns): the name exists, whatever zones say. */
  passed: 3,
} as const;
export type WideIpVerdict = (typeof WideIpVerdict)[keyof typeof WideIpVerdict];

export interface WideIpSource {
  /** Number of the wide IP that the last question led to; less than 0: none. */
  readonly found: number;
  /** Answers a question of class IN, or leaves the reply as it is. */
  answer(query: Query, reply: Reply, means: AnswerMeans, sender: Sender): WideIpVerdict;
  /** The same for a question that leads to this wide IP: labels and hashes of its name are not looked at. */
  answerBy(wideIp: number, query: Query, reply: Reply, means: AnswerMeans, sender: Sender): WideIpVerdict;
}
