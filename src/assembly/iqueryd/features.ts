// All that uses the mesh, in the order in which it hears of what happens.

import { hostname } from 'node:os';
import { join } from 'node:path';
import { loadAddon } from '../../native/addon.ts';
import { ConnectionCounter } from '../../net/connection-counter.ts';
import { PathProber } from '../../probe/path-prober.ts';
import { packageVersion } from '../../native/package.ts';
import { daemonSocket } from '../../supervise/daemon-table.ts';
import type { FeatureContext, IqueryFeature } from './feature.ts';
import { DiscoveryFeature } from './feature-discovery.ts';
import { LoadFeature } from './feature-load.ts';
import { SyncFeature } from './feature-sync.ts';
import { ZoneFilesFeature } from './feature-zone-files.ts';
import { ConfigdGroupStore } from './group-store.ts';
import { StatesFeature } from './feature-states.ts';
import { PathsFeature } from './feature-paths.ts';
import { LoadKeeper } from './load-keeper.ts';
import { runTmsh } from './run-tmsh.ts';
import { readMachine } from './machine-load.ts';
import { MetricsPublisher } from './metrics-publisher.ts';
import { SyncFile } from './sync-file.ts';
import { DnsdZoneStore } from './zone-store.ts';

/** What features share among them. */
type Shared = FeatureContext & {
  /** What virtual servers of this machine carry: whoever publishes them asks it (LoadSource). */
  readonly loads: LoadKeeper;
  /** What dnsd is told of loads and paths. */
  readonly metrics: MetricsPublisher;
};

type MakeFeature = (context: Shared) => IqueryFeature;

const FEATURES: readonly MakeFeature[] = [
  ({ loads, ...context }) => new StatesFeature(context, loads),
  ({ mesh, loads, metrics }) =>
    new LoadFeature({ mesh, keeper: loads, publisher: metrics, hostname: hostname(), version: packageVersion() }),
  ({ mesh, state, directory, clock, log }) =>
    new SyncFeature({
      ...{ mesh, clock, log, hostname: hostname(), version: packageVersion() },
      store: new ConfigdGroupStore(daemonSocket(state, 'configd')),
      file: new SyncFile(join(directory, 'group.json'), log),
    }),
  ({ mesh, state, clock, log }) =>
    new ZoneFilesFeature({ mesh, store: new DnsdZoneStore(daemonSocket(state, 'dnsd')), clock, log }),
  ({ mesh, metrics, state, log }) =>
    new PathsFeature({
      ...{ mesh, publisher: metrics, dnsd: daemonSocket(state, 'dnsd'), log },
      measurer: new PathProber(),
    }),
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
