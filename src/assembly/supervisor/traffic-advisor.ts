// Warns about what will eat the traffic of the present configuration: follows configd, looks at the host, changes nothing.

import { applyChanges, mapObjects, type ConfigChange, type Generation, type ObjectMap } from '../../config/change.ts';
import type { ConfigObject } from '../../config/object-types.ts';
import { errorText } from '../../core/errors.ts';
import type { Log, LogFields } from '../../core/log.ts';
import type { ApplyFailure } from '../../ipc/schema.ts';
import { readHostDevices } from '../../supervise/host-facts.ts';
import { underlayMtuWarning } from '../../supervise/preflight.ts';
import type { AdvisedHost, Advisor } from '../../supervise/up.ts';
import { ConfigSubscriber, type ConfigApplier } from '../config-subscriber.ts';
import { viewOf } from '../dataplaned/config-view.ts';
import { tunnelRoutes } from './tunnel-paths.ts';

/** Starts to follow configd; what it finds is logged by the keeper, each warning once. */
export function adviseOnTraffic(host: AdvisedHost): Advisor {
  const { configdSocket, log } = host;
  const applier = new TrafficAdvisor(host);
  // Whether configd is there is not news: the supervisor itself says so.
  const quiet: Log = { ...log, warn: (message: string, fields?: LogFields) => log.debug(message, fields) };
  const subscriber = new ConfigSubscriber({
    daemon: 'supervisor',
    socketPath: configdSocket,
    applier,
    log: quiet,
  });
  subscriber.start().catch((error: unknown) => log.error(`no warnings about traffic: ${errorText(error)}`));
  return {
    stop: () => {
      applier.stop();
      return subscriber.stop();
    },
  };
}

/**
 * How long nothing has to change before the whole is looked at, and how long that can be put off: starting helper programs
 * holds up whatever shares the core, the next change before all.
 */
const REST_MS = 500;
const LONGEST_MS = 10_000;

class TrafficAdvisor implements ConfigApplier {
  readonly #host: AdvisedHost;
  #objects: ObjectMap = new Map();
  #timer: NodeJS.Timeout | undefined;
  /** When the first change came that was not looked at yet. */
  #sinceMs = 0;

  constructor(host: AdvisedHost) {
    this.#host = host;
  }

  onSnapshot(_generation: Generation, objects: readonly ConfigObject[]): ApplyFailure[] {
    this.#objects = mapObjects(objects);
    void this.#look();
    return [];
  }

  onDiff(_generation: Generation, changes: readonly ConfigChange[]): ApplyFailure[] {
    this.#objects = applyChanges(this.#objects, changes);
    if (this.#timer === undefined) {
      this.#sinceMs = performance.now();
      this.#timer = setTimeout(() => {
        this.#timer = undefined;
        void this.#look();
      }, REST_MS).unref();
    } else if (performance.now() - this.#sinceMs < LONGEST_MS - REST_MS) this.#timer.refresh();
    return [];
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  /** Not waited for: a commit must not depend on helper programs. */
  async #look(): Promise<void> {
    const { keeper, log } = this.#host;
    const view = viewOf(this.#objects.values());
    const routes = tunnelRoutes(view);
    keeper.tunnelPorts = [...new Set(routes.flatMap(({ port }) => port ?? []))];
    try {
      for (const { name, properties } of view.interfaces.values()) {
        const { device, 'address-owner': addressOwner } = properties;
        if (device === undefined || addressOwner !== 'host') continue;
        await keeper.prepare({ interface: name, device, addressOwner });
      }
      if (routes.length === 0) return;
      const { links } = await readHostDevices();
      keeper.warn(
        routes.flatMap((route) => {
          const link = links.find((other) => other.name === route.device);
          return (link && underlayMtuWarning({ ...route, deviceMtu: link.mtu })) ?? [];
        }),
      );
    } catch (error) {
      log.debug(`no look at the host: ${errorText(error)}`);
    }
  }
}
