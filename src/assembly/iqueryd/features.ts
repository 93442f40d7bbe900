// All that uses the mesh, in the order in which it hears of what happens.

import { hostname } from 'node:os';
import { loadAddon } from '../../native/addon.ts';
import { ConnectionCounter } from '../../net/connection-counter.ts';
import { packageVersion } from '../configd/package-version.ts';
import type { FeatureContext, IqueryFeature } from './feature.ts';
import { DiscoveryFeature } from './feature-discovery.ts';
import { LoadFeature } from './feature-load.ts';
import { LoadKeeper } from './load-keeper.ts';
import { runTmsh } from './run-tmsh.ts';
import { readMachine } from './machine-load.ts';
import { MetricsPublisher } from './metrics-publisher.ts';

/** What features share among them. */
type Shared = FeatureContext & {
  /** What virtual servers of this machine carry: whoever publishes them asks it (LoadSource). */
  readonly loads: LoadKeeper;
  /** What dnsd is told of loads and paths. */
  readonly metrics: MetricsPublisher;
};

type MakeFeature = (context: Shared) => IqueryFeature;

const FEATURES: readonly MakeFeature[] = [
  ({ mesh, loads, metrics }) =>
    new LoadFeature({ mesh, keeper: loads, publisher: metrics, hostname: hostname(), version: packageVersion() }),
  ({ state, clock, log }) => new DiscoveryFeature({ clock, log, run: (command) => runTmsh(state, command) }),
];

export function makeFeatures(context: FeatureContext): readonly IqueryFeature[] {
  const { addon } = loadAddon();
  const counter = addon && new ConnectionCounter(addon);
  const shared = {
    ...context,
    loads: new LoadKeeper({ counter, readMachine, log: context.log }),
    metrics: new MetricsPublisher(),
  };
  return FEATURES.map((make) => make(shared));
}
