// Answers what is asked of IPsec on dataplaned's socket: which associations there are, what they have carried, and away with them.

import { IpcError } from '../../ipc/ipc-error.ts';
import type { AssociationFilter, AssociationPage, AssociationRow, IpsecTotals } from '../../ipc/ipsec-schema.ts';

/** What the service asks of the data plane. Nothing of it touches the worker: it reads memory that the worker shares. */
export interface IpsecStatistics {
  /**
   * All associations, each once, in an order that stays as long as they do; counters as they are now. The rows are the
   * caller's.
   */
  associations(): Iterable<AssociationRow>;
  /**
   * Ends associations. What a key exchange has made goes, and is made again when it is needed; a manual one is made again at once from
   * the configuration, with counters and replay window anew, while its sequence numbers go on where they were. Resolves when no packet
   * goes by those that are gone.
   */
  remove(associations: readonly AssociationRow[]): Promise<void>;
  /** One row for each policy that has associations. */
  totals(): readonly IpsecTotals[];
}

/** With the longest names a page stays below a message's limit. */
const PAGE_ROWS = 250;

export class IpsecService {
  readonly #statistics: IpsecStatistics;

  constructor(statistics: IpsecStatistics) {
    this.#statistics = statistics;
  }

  /** The associations that fit, page by page. Throws an IpcError where the cursor is none. */
  list(filter: AssociationFilter, cursor?: string): AssociationPage {
    const start = Number(cursor ?? 0);
    if (!Number.isSafeInteger(start) || start < 0) throw new IpcError('refused', `${cursor} is no place in the list`);
    const fitting = this.#fitting(filter);
    const associations = fitting.slice(start, start + PAGE_ROWS);
    const end = start + associations.length;
    return end < fitting.length ? { associations, next: String(end) } : { associations };
  }

  /** How many went. */
  async remove(filter: AssociationFilter): Promise<number> {
    const fitting = this.#fitting(filter);
    await this.#statistics.remove(fitting);
    return fitting.length;
  }

  totals(): readonly IpsecTotals[] {
    return this.#statistics.totals();
  }

  #fitting(filter: AssociationFilter): AssociationRow[] {
    return [...this.#statistics.associations()].filter((row) => fits(row, filter));
  }
}

/** Whether the association is one of those that are meant. */
export function fits(row: AssociationRow, filter: AssociationFilter): boolean {
  const { spi, source, destination, selector, policy } = filter;
  return (
    (spi === undefined || row.spi === spi) &&
    (source === undefined || row.source === source || isHost(row.selectorSource, source)) &&
    (destination === undefined || row.destination === destination || isHost(row.selectorDestination, destination)) &&
    (selector === undefined || row.selector === selector) &&
    (policy === undefined || row.policy === policy)
  );
}

/** Whether a selector's network is this one address, or is written just so. */
function isHost(network: string | undefined, address: string): boolean {
  if (network === undefined) return false;
  return network === address || network.replace(/\/(?:32|128)$/, '') === address;
}
