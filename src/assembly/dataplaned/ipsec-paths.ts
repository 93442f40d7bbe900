// How large packets may be that leave by a security association: by the first link to its other end, and by what is known of the
// path behind that.

import type { Domain } from '../../bridge/domain.ts';
import type { Association } from '../../ipsec/association-database.ts';
import { largestInnerOctets } from '../../ipsec/overhead.ts';
import type { SecurityAssociationSpec } from '../../ipsec/security-association.ts';
import { MIN_PATH_MTU_V4, type PathMtuTable } from '../../route/path-mtu.ts';
import { FIRST_ROUTE } from '../../route/route-table.ts';
import type { Routes } from './routes.ts';

/** The largest packet of IP. */
const MAX_PACKET_OCTETS = 65_535;

export class IpsecPaths {
  readonly #routes: Routes;
  readonly #domains: ReadonlyMap<number, Domain>;
  readonly #paths: PathMtuTable;
  #version = 0;

  constructor(routes: Routes, domains: ReadonlyMap<number, Domain>, paths: PathMtuTable) {
    this.#routes = routes;
    this.#domains = domains;
    this.#paths = paths;
  }

  /** To be called when ways may have changed, and now and then. */
  changed(): void {
    this.#version += 1;
  }

  /** Sees to it that the association's MTUs are those of its path now. */
  settle(association: Association): void {
    if (association.pathVersion === this.#version) return;
    association.pathVersion = this.#version;
    const { sa, routeDomain } = association.spec;
    const outer = this.outerMtu(sa, routeDomain);
    association.innerMtu4 = Math.max(MIN_PATH_MTU_V4, largestInnerOctets(sa, outer, 4));
    association.innerMtu6 = Math.max(MIN_PATH_MTU_V4, largestInnerOctets(sa, outer, 6));
  }

  /** The largest sealed packet, in octets; where no route leads there, as large as packets can be. */
  outerMtu({ family, destination }: SecurityAssociationSpec, routeDomain: number): number {
    const result =
      family === 4
        ? this.#routes.findIpv4(routeDomain, destination[3])
        : this.#routes.findIpv6(routeDomain, ...destination);
    const route = result < FIRST_ROUTE ? undefined : this.#routes.route(result);
    if (route === undefined) return MAX_PACKET_OCTETS;
    const links = route.onLink === -1 ? route.hops.map(({ domain }) => domain) : [route.onLink];
    let mtu = route.mtu === 0 ? MAX_PACKET_OCTETS : route.mtu;
    for (const link of links) mtu = Math.min(mtu, this.#domains.get(link)?.mtu ?? MAX_PACKET_OCTETS);
    return Math.min(mtu, this.#paths.of({ routeDomain, words: destination }));
  }
}
