// What a monitor sends, and how it judges what comes: made once for each monitor.

import { OctetPattern, type PatternState } from '../core/octet-pattern.ts';
import { PatternError } from '../core/octet-pattern-parser.ts';
import type { Exchange, Monitor } from '../health/monitor.ts';
import type { Verdict } from '../health/probe.ts';
import { basicCredentials, httpRequest, resolveEscapes } from './sent-text.ts';
import { MAX_SHOWN_WHEN_UP, shownOctetText, shownPattern } from './shown-text.ts';

/** Of an answer, so many octets are looked at, as on a BIG-IP. */
export const MOST_OCTETS = 5120;

/** What a monitor does on a connection, or with a datagram. */
export class ExchangePlan {
  readonly send: Buffer;
  /** For a person; without credentials. */
  readonly sentText: string | undefined;
  readonly isHttp: boolean;
  /** Its request asks for a header only. */
  readonly isHead: boolean;
  readonly isReverse: boolean;
  readonly receive: OctetPattern | undefined;
  readonly receiveDisable: OctetPattern | undefined;
  readonly #exchange: Exchange;
  #lastRaw = '';
  #lastShown = '';

  /** A `PatternError` for patterns that are none. */
  constructor(monitor: Monitor, exchange: Exchange) {
    const { probe } = monitor;
    this.#exchange = exchange;
    this.isReverse = monitor.isReverse && exchange.receive !== '';
    this.isHttp = probe.type === 'http' || probe.type === 'https';
    const send = resolveEscapes(exchange.send);
    const sent = (credentials: (username: string, password: string) => string): Buffer =>
      probe.type === 'http' || probe.type === 'https'
        ? httpRequest(send, probe.username, credentials(probe.username, probe.password))
        : send;
    this.send = sent(basicCredentials);
    const shown = sent(() => '(credentials)');
    this.sentText = shown.length === 0 ? undefined : shownOctetText(shown.toString('latin1'));
    this.isHead = this.isHttp && this.send.toString('latin1', 0, 5) === 'HEAD ';
    this.receive = patternOf('receive string', exchange.receive);
    this.receiveDisable = patternOf('receive disable string', exchange.receiveDisable);
  }

  /** A connection is all that is wanted. */
  get isConnectOnly(): boolean {
    if (this.receive !== undefined || this.receiveDisable !== undefined) return false;
    return !this.isHttp || this.send.length === 0;
  }

  /** `raw`: octets as characters of latin1. */
  shown(raw: string, isUp: boolean): string | undefined {
    if (raw === '') return undefined;
    if (!isUp) return shownOctetText(raw);
    // Targets of one monitor mostly say the same.
    const start = raw.length > MAX_SHOWN_WHEN_UP + 1 ? raw.slice(0, MAX_SHOWN_WHEN_UP + 1) : raw;
    if (start !== this.#lastRaw) {
      this.#lastRaw = start;
      this.#lastShown = shownOctetText(start, MAX_SHOWN_WHEN_UP);
    }
    return this.#lastShown;
  }

  /** For a person. `received`: how much has come; `isCut`: less than was to come. */
  reasonFor(verdict: Verdict, received: string, isCut: boolean): string {
    const { receive, receiveDisable } = this.#exchange;
    switch (verdict) {
      case 'disabled':
        return `the answer has ${shownPattern(receiveDisable)}: no new clients`;
      case 'wrong':
        if (this.isReverse) return `the answer has ${shownPattern(receive)}, which is what reverse looks for`;
        return `${isCut ? 'the answer was cut off, and what came' : 'the answer'} does not have ${shownPattern(receive)}: ${received}`;
      default:
        if (this.isReverse) return `answered without ${shownPattern(receive)}`;
        return this.receive === undefined ? 'answered' : `the answer has ${shownPattern(receive)}`;
    }
  }
}

/** Follows one answer. */
export class AnswerJudge {
  readonly #plan: ExchangePlan;
  #receive: PatternState | undefined;
  #disable: PatternState | undefined;

  constructor(plan: ExchangePlan) {
    this.#plan = plan;
    this.#receive = plan.receive?.start;
    this.#disable = plan.receiveDisable?.start;
  }

  /** What is known after these octets; undefined: not enough. */
  take(octets: Uint8Array, length: number): Verdict | undefined {
    const { receive, receiveDisable, isReverse } = this.#plan;
    if (receive !== undefined) {
      this.#receive = receive.advance(this.#receive!, octets, 0, length);
      if (this.#receive.isFound) return isReverse ? 'wrong' : 'up';
    }
    if (receiveDisable !== undefined) {
      this.#disable = receiveDisable.advance(this.#disable!, octets, 0, length);
      if (this.#disable.isFound) return 'disabled';
    }
    return receive === undefined && receiveDisable === undefined ? 'up' : undefined;
  }

  /** Whether more octets would change nothing. */
  get isCertain(): boolean {
    return this.#receive?.isFound === true || this.#disable?.isFound === true;
  }

  /** Whether what is looked for is there if the answer ends here. */
  get isFoundAtEnd(): boolean {
    return this.#receive?.isFoundAtEnd === true || this.#disable?.isFoundAtEnd === true;
  }

  /** What is known when no more is looked at, and some octets have come. */
  end(): Verdict {
    if (this.#receive?.isFoundAtEnd === true) return this.#plan.isReverse ? 'wrong' : 'up';
    if (this.#disable?.isFoundAtEnd === true) return 'disabled';
    return this.#receive === undefined || this.#plan.isReverse ? 'up' : 'wrong';
  }
}

const plans = new WeakMap<Monitor, ExchangePlan | string>();

/** The plan of a monitor that has an exchange, or why there can be none. */
export function planOf(monitor: Monitor, exchange: Exchange): ExchangePlan | string {
  let plan = plans.get(monitor);
  if (plan === undefined) {
    try {
      plan = new ExchangePlan(monitor, exchange);
    } catch (error) {
      if (!(error instanceof PatternError)) throw error;
      plan = error.message;
    }
    plans.set(monitor, plan);
  }
  return plan;
}

function patternOf(what: string, text: string): OctetPattern | undefined {
  if (text === '') return undefined;
  try {
    return new OctetPattern(text);
  } catch (error) {
    if (!(error instanceof PatternError)) throw error;
    throw new PatternError(`the ${what} ${shownPattern(text)} is not a regular expression: ${error.message}`);
  }
}
