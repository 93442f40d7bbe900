// One probe by a connection: what is sent once it is open, how its answer is judged, and how it ends, whatever carries it.

import type { ProbeOutcome, Verdict } from '../health/probe.ts';
import { Deadline, type Deadlines } from './deadlines.ts';
import { AnswerJudge, type ExchangePlan, MOST_OCTETS } from './exchange-plan.ts';
import { HttpFraming } from './http-framing.ts';
import { faultOf, tookSince } from './outcome.ts';
import { shownOctets, shownTime } from './shown-text.ts';

/** A connection, as far as a probe of it goes. */
export type Connection = {
  write(octets: Buffer): unknown;
  /** Closes it at once, and leaves nothing of it behind. */
  abandon(): void;
};

export class StreamProbe extends Deadline {
  readonly plan: ExchangePlan;
  readonly started = performance.now();
  /** How far it has got. */
  phase: 'connecting' | 'handshake' | 'open' | 'over' = 'connecting';
  readonly #connection: Connection;
  readonly #timeout: number;
  readonly #deadlines: Deadlines;
  readonly #done: (outcome: ProbeOutcome) => void;
  readonly #judge: AnswerJudge;
  #framing: HttpFraming | undefined = undefined;
  /** The octets so far, as characters of latin1, of an answer that is not judged yet. */
  #text = '';

  constructor(
    plan: ExchangePlan,
    connection: Connection,
    timeout: number,
    deadlines: Deadlines,
    done: (outcome: ProbeOutcome) => void,
  ) {
    super();
    this.plan = plan;
    this.#connection = connection;
    this.#timeout = timeout;
    this.#deadlines = deadlines;
    this.#done = done;
    this.#judge = new AnswerJudge(plan);
    deadlines.add(this, timeout);
  }

  /** The connection is open: for octets, not only for a handshake. */
  opened(): void {
    if (this.phase === 'over') return;
    this.phase = 'open';
    if (this.plan.send.length > 0) this.#connection.write(this.plan.send);
    if (this.plan.isConnectOnly) this.finish('up', 'connected');
  }

  /** Octets have come: `chunk[0..length)`, which may be overwritten afterwards. */
  received(chunk: Buffer, length: number): void {
    if (this.phase === 'over') return;
    const taken = Math.min(length, MOST_OCTETS - this.#text.length);
    const verdict = this.#judge.take(chunk, taken);
    this.#text += chunk.toString('latin1', 0, taken);
    if (verdict !== undefined) this.#conclude(verdict, false);
    else if (this.#text.length >= MOST_OCTETS) this.#conclude(this.#judge.end(), false);
    else if (this.plan.isHttp) {
      this.#framing ??= new HttpFraming(this.plan.isHead);
      if (this.#framing.isWhole(this.#text)) this.#conclude(this.#judge.end(), false);
    }
  }

  /** The other end has closed, orderly or not. */
  ended(how: 'closed' | 'reset'): void {
    if (this.phase === 'over') return;
    if (this.#text === '') {
      this.finish('wrong', `the connection was ${how} without an answer`);
    } else if (how === 'reset' || this.#framing?.isBounded === true) {
      // It has said how long it would be.
      this.#conclude(this.#judge.end(), true);
    } else {
      this.#conclude(this.#judge.end(), false);
    }
  }

  failed(error: NodeJS.ErrnoException): void {
    if (this.phase === 'over') return;
    if (this.phase !== 'connecting' && (error.code === 'ECONNRESET' || error.code === 'EPIPE')) {
      this.ended('reset');
      return;
    }
    const { verdict, reason } = faultOf(error);
    this.finish(verdict, reason);
  }

  expire(): void {
    const within = `within ${shownTime(this.#timeout)}`;
    if (this.phase === 'connecting') {
      this.finish('silent', `no connection ${within}`);
    } else if (this.phase === 'handshake') {
      this.finish('silent', `connected, no TLS handshake ${within}`);
    } else if (this.#text === '') {
      this.finish('silent', `connected, no answer ${within}`);
    } else if (this.plan.isHttp) {
      this.finish('silent', `answer cut off after ${shownOctets(this.#text.length)}: no more ${within}`);
    } else {
      // Only HTTP says where an answer ends: of others, what has come by now is the answer.
      this.#conclude(this.#judge.end(), false);
    }
  }

  cancel(): void {
    if (this.phase !== 'over') this.#release();
  }

  finish(verdict: Verdict, reason: string): void {
    if (this.phase === 'over') return;
    this.#release();
    const { sentText: sent } = this.plan;
    const received = this.plan.shown(this.#text, verdict === 'up');
    this.#done({ verdict, reason, sent, received, took: tookSince(this.started) });
  }

  /** `isCut`: less has come than was to come. */
  #conclude(verdict: Verdict, isCut: boolean): void {
    const came = shownOctets(this.#text.length);
    // That something is not there says nothing when not all is there.
    if (isCut && verdict === 'up' && !this.#judge.isCertain) {
      this.finish('wrong', `answer cut off after ${came}`);
      return;
    }
    this.finish(verdict, this.plan.reasonFor(verdict, came, isCut));
  }

  #release(): void {
    this.phase = 'over';
    this.#deadlines.remove(this);
    this.#connection.abandon();
  }
}
