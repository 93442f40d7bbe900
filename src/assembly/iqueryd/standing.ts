// Connections that stand, each judged again when what is trusted has changed.

import type { PeerRole } from '../../trust/verdict.ts';
import type { TrustStore } from '../../trust/trust-store.ts';
import type { Refusals } from './refusals.ts';
import type { TlsChannel } from './tls-channel.ts';

type Standing = { readonly peer: string; readonly role: PeerRole; readonly chain: readonly Uint8Array[] };

export class StandingConnections {
  readonly #trust: TrustStore;
  readonly #refusals: Refusals;
  readonly #standing = new Map<TlsChannel, Standing>();

  constructor(trust: TrustStore, refusals: Refusals) {
    this.#trust = trust;
    this.#refusals = refusals;
  }

  add(channel: TlsChannel, standing: Standing): void {
    this.#standing.set(channel, standing);
  }

  remove(channel: TlsChannel): void {
    this.#standing.delete(channel);
  }

  review(): void {
    for (const [channel, { peer, role, chain }] of this.#standing) {
      if (channel.isOver) {
        this.#standing.delete(channel);
        continue;
      }
      const verdict = this.#trust.judge(chain, role, new Date(), true);
      if (verdict.trusted) continue;
      this.#standing.delete(channel);
      this.#refusals.refused(peer, role, verdict);
      channel.fail(`its certificate is not trusted any more: ${verdict.reason}`);
    }
  }
}
