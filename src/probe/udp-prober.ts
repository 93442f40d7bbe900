// Probes by UDP: monitors of type udp.
//
// As on a BIG-IP, who must answer nothing is up unless somebody says that nobody is there: without a receive string, an answer
// is up at once, a refusal (ICMP port unreachable) is `refused`, and silence until the time is over is up.

import type { Socket } from 'node:dgram';
import type { Exchange, Monitor } from '../health/monitor.ts';
import type { Cancel, ProbeOutcome, Verdict } from '../health/probe.ts';
import { Deadline, type Deadlines } from './deadlines.ts';
import { AnswerJudge, type ExchangePlan, MOST_OCTETS, planOf } from './exchange-plan.ts';
import { faultOf, impossibleLater, tookSince } from './outcome.ts';
import { datagramSocket, type RoutedPlace } from './probe-socket.ts';
import { shownOctets, shownTime } from './shown-text.ts';

/** Datagrams of one answer that are looked at. */
const MOST_DATAGRAMS = 100;

/** `timeout`: for the answer to the last of `attempts` packets, `apart` milliseconds from each other. */
type Attempts = { readonly count: number; readonly apart: number; readonly timeout: number };

class UdpProbe extends Deadline {
  readonly #plan: ExchangePlan;
  readonly #socket: Socket;
  readonly #attempts: Attempts;
  readonly #deadlines: Deadlines;
  readonly #done: (outcome: ProbeOutcome) => void;
  readonly #started = performance.now();
  #sent = 0;
  #isOver = false;
  /** Octets of the last answer that was not as wanted, as characters of latin1. */
  #answer = '';
  #answers = 0;

  constructor(
    plan: ExchangePlan,
    place: RoutedPlace,
    attempts: Attempts,
    deadlines: Deadlines,
    done: (outcome: ProbeOutcome) => void,
  ) {
    super();
    this.#plan = plan;
    this.#attempts = attempts;
    this.#deadlines = deadlines;
    this.#done = done;
    this.#socket = datagramSocket(place);
    this.#socket.on('error', (error: NodeJS.ErrnoException) => this.#failed(error));
    this.#socket.on('message', (message) => this.#received(message));
    this.#socket.on('connect', () => this.#send());
    // Connected: only then the kernel tells of a refusal, and takes answers of the target only.
    this.#socket.connect(place.port, place.address);
    deadlines.add(this, attempts.count > 1 ? attempts.apart : attempts.timeout);
  }

  cancel(): void {
    if (!this.#isOver) this.#release();
  }

  expire(): void {
    const { count, apart, timeout } = this.#attempts;
    if (this.#sent < count) {
      this.#send();
      if (!this.#isOver) this.#deadlines.add(this, this.#sent < count ? apart : timeout);
      return;
    }
    const { receive, receiveDisable } = this.#plan;
    if (this.#answers > 0) {
      const verdict = this.#plan.isReverse || receive === undefined ? 'up' : 'wrong';
      this.#finish(verdict, this.#plan.reasonFor(verdict, shownOctets(this.#answer.length), false));
    } else if (receive === undefined && receiveDisable === undefined) {
      this.#finish('up', `sent, and not refused within ${shownTime(timeout)}`);
    } else {
      this.#finish('silent', `no answer within ${shownTime(timeout)}`);
    }
  }

  #send(): void {
    if (this.#isOver) return;
    this.#sent++;
    try {
      this.#socket.send(this.#plan.send);
    } catch (error) {
      this.#failed(error as NodeJS.ErrnoException);
    }
  }

  #received(message: Buffer): void {
    if (this.#isOver) return;
    const length = Math.min(message.length, MOST_OCTETS);
    const judge = new AnswerJudge(this.#plan);
    const early = judge.take(message, length);
    const verdict = early ?? judge.end();
    this.#answer = message.toString('latin1', 0, length);
    this.#answers++;
    // Another datagram may have what this one lacks.
    const isFinal = early !== undefined || judge.isFoundAtEnd || this.#answers === MOST_DATAGRAMS;
    if (isFinal || (this.#plan.receive === undefined && this.#plan.receiveDisable === undefined)) {
      this.#finish(verdict, this.#plan.reasonFor(verdict, shownOctets(length), false));
    }
  }

  #failed(error: NodeJS.ErrnoException): void {
    if (this.#isOver) return;
    const { verdict, reason } = faultOf(error);
    this.#finish(verdict, verdict === 'refused' ? 'port unreachable' : reason);
  }

  #finish(verdict: Verdict, reason: string): void {
    this.#release();
    const received = this.#plan.shown(this.#answer, verdict === 'up');
    this.#done({ verdict, reason, sent: this.#plan.sentText, received, took: tookSince(this.#started) });
  }

  #release(): void {
    this.#isOver = true;
    this.#deadlines.remove(this);
    this.#socket.close();
  }
}

export class UdpProber {
  readonly #deadlines: Deadlines;

  constructor(deadlines: Deadlines) {
    this.#deadlines = deadlines;
  }

  probe(monitor: Monitor, place: RoutedPlace, timeout: number, done: (outcome: ProbeOutcome) => void): Cancel {
    const plan = planOf(monitor, (monitor.probe as { exchange: Exchange }).exchange);
    if (typeof plan === 'string') return impossibleLater(plan, done);
    const { probeAttempts, probeInterval } = monitor.timing;
    const attempts = { count: Math.max(1, probeAttempts), apart: Math.max(1, probeInterval), timeout };
    const probe = new UdpProbe(plan, place, attempts, this.#deadlines, done);
    return () => probe.cancel();
  }
}
