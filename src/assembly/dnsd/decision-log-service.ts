// Writes down why wide IPs answered as they did, for those that want it (`load-balancing-decision-log-verbosity`): a line a question,
// with each step in brackets, as on a BIG-IP.
//
//   192.0.2.99 www.example.com A: [pool a /Common/near: ratio chooses it …] [member /Common/s1:web2: round-robin chooses it]

import { formatAddressOctets } from '../../core/address.ts';
import { logEvent } from '../../core/log-codes.ts';
import type { Log } from '../../core/log.ts';
import { formatName } from '../../dns/name.ts';
import { typeName } from '../../dns/record-types.ts';
import type { CompiledWideIps } from '../../gtm/compile-wide-ips.ts';
import { isOfKinds, type LoggedDecision } from '../../gtm/decision-log.ts';
import { TRACE_NUMBERS, type TraceEvent } from '../../gtm/trace.ts';
import { TraceText } from '../../gtm/trace-text.ts';
import type { VersionedDecision } from './source-data.ts';

/** Lines in a second; what is above is counted. */
const LINES_PER_SECOND = 500;
const SECOND_MS = 1000;

export class DecisionLogService {
  readonly #log: Log;
  readonly #compiledOf: (version: number) => CompiledWideIps | undefined;
  #lost = 0;
  #lines = 0;
  #timer: NodeJS.Timeout | undefined;

  /** `compiledOf`: what the numbers of a version mean; undefined when that is gone. */
  constructor(log: Log, compiledOf: (version: number) => CompiledWideIps | undefined) {
    this.#log = log;
    this.#compiledOf = compiledOf;
  }

  take(decisions: readonly VersionedDecision[], lost = 0): void {
    this.#lost += lost;
    for (const { version, decision } of decisions) {
      const compiled = this.#compiledOf(version);
      if (compiled === undefined || this.#lines >= LINES_PER_SECOND) this.#lost++;
      else logEvent(this.#log, 'gtm-decision', decisionLine(compiled, decision));
      this.#lines++;
    }
    this.#timer ??= setTimeout(() => this.#endSecond(), SECOND_MS);
  }

  #endSecond(): void {
    this.#timer = undefined;
    this.#lines = 0;
    if (this.#lost > 0) logEvent(this.#log, 'gtm-decisions-lost', `${this.#lost} decisions of wide IPs are not logged`);
    this.#lost = 0;
  }

  close(): void {
    clearTimeout(this.#timer);
  }
}

function decisionLine(
  { index, tables }: CompiledWideIps,
  { name, type, client, steps, kinds }: LoggedDecision,
): string {
  const text = new TraceText(index, tables);
  const parts: string[] = [];
  for (let at = 0; at < steps.length; at += TRACE_NUMBERS) {
    const [event, a, b, c] = steps.slice(at, at + TRACE_NUMBERS) as [TraceEvent, number, number, number];
    // All of them are told: what one says may follow from the one before.
    const line = text.lineOf(event, a, b, c);
    if (isOfKinds(event, kinds)) parts.push(`[${line}]`);
  }
  const question = formatName(name).replace(/(.)\.$/, '$1');
  return `${formatAddressOctets(client)} ${question} ${typeName(type)}: ${parts.join(' ')}`;
}
