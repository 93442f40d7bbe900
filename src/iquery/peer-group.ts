// One `gtm server` with all addresses of all its devices: by which of them it is heard, and how it stands with it as a whole.
//
// The first address that is connected is subscribed, and stays the one as long as it is connected. The others stand by, in their order.

import { logEvent } from '../core/log-codes.ts';
import type { PeerCondition } from './mesh-feature.ts';
import { type PeerLink, reasonOf } from './peer-link.ts';
import type { SessionContext } from './session-context.ts';

export class PeerGroup {
  readonly server: string;
  readonly #context: SessionContext;
  /** Another server that is heard already, and is the same machine. */
  readonly #takenBy: (deviceId: string, group: PeerGroup) => string | undefined;
  #links: readonly PeerLink[] = [];
  #active: PeerLink | undefined;
  /** It could be heard, if it were not the same machine as this other server. */
  #sameAs: string | undefined;
  #condition: PeerCondition | undefined;

  constructor(
    server: string,
    context: SessionContext,
    takenBy: (deviceId: string, group: PeerGroup) => string | undefined,
  ) {
    this.server = server;
    this.#context = context;
    this.#takenBy = takenBy;
  }

  get links(): readonly PeerLink[] {
    return this.#links;
  }

  set links(links: readonly PeerLink[]) {
    this.#links = links;
    if (this.#active !== undefined && !links.includes(this.#active)) this.#active = undefined;
  }

  get active(): PeerLink | undefined {
    return this.#active;
  }

  /** Waits for another server to be lost. */
  get isBlocked(): boolean {
    return this.#sameAs !== undefined;
  }

  /** Goes by what its addresses are now. */
  evaluate(): void {
    if (this.#active?.isConnected !== true) this.#choose();
    const condition = this.#judge();
    const before = this.#condition;
    if (before?.state === condition.state && reasonOf(before) === reasonOf(condition)) return;
    this.#condition = before?.state === condition.state ? { ...condition, since: before.since } : condition;
    this.#context.features.condition(this.server, this.#condition);
  }

  /** It is not configured any more. */
  end(reason: string): void {
    for (const link of this.#links) link.close(reason);
    this.#links = [];
    this.#active = undefined;
    this.#context.features.condition(this.server, {
      state: 'not-connected',
      since: this.#context.clock.wall(),
      reason,
    });
  }

  #choose(): void {
    const before = this.#active;
    this.#active = undefined;
    this.#sameAs = undefined;
    for (const link of this.#links) {
      if (!link.isConnected) continue;
      this.#sameAs = this.#takenBy(link.identity.deviceId ?? '', this);
      if (this.#sameAs !== undefined) continue;
      this.#active = link;
      link.session?.subscribe();
      if (before !== undefined) {
        const ways = `by ${link.peer.address} now, and not by ${before.peer.address} any more`;
        logEvent(this.#context.log, 'iquery-switched', `${this.server} is heard ${ways}`, { server: this.server });
      }
      return;
    }
    if (this.#sameAs === undefined || !this.#context.saidOnce.isNew(this.server, `is ${this.#sameAs}`)) return;
    const both = `${this.server} and ${this.#sameAs} are the same machine, or clones of one`;
    logEvent(this.#context.log, 'iquery-same-machine', `${both}: only ${this.#sameAs} is heard`);
  }

  #judge(): PeerCondition {
    const since = this.#context.clock.wall();
    if (this.#active !== undefined) return this.#active.condition;
    if (this.#sameAs !== undefined) {
      return { state: 'not-connected', since, reason: `is the same machine as ${this.#sameAs}` };
    }
    const stranger = this.#links.find(({ condition }) => condition.state === 'stranger');
    if (stranger !== undefined) return stranger.condition;
    const failed = this.#links.filter(({ condition }) => condition.state === 'not-connected');
    if (failed.length === 0) return { state: 'connecting', since, reason: 'no address has answered yet' };
    const reasons = failed.map(({ peer, condition }) => `${peer.address}: ${reasonOf(condition)}`);
    return { state: 'not-connected', since, reason: reasons.join('; ') };
  }
}
