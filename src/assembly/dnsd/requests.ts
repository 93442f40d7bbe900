// What dnsd answers on its socket.

import { IpcError } from '../../ipc/ipc-error.ts';
import type { Handlers } from '../../ipc/ipc-server.ts';
import type { Dnsd } from './dnsd.ts';
import { explainQuestion } from './explain-service.ts';
import { DnsShowService } from './dns-show-service.ts';
import { GtmShowService } from './gtm-show-service.ts';
import { ZoneFileService } from './zone-file-service.ts';

export function handlersOf(dnsd: Dnsd): Handlers {
  const shows = new DnsShowService(dnsd);
  const gtmShows = new GtmShowService(dnsd.health, dnsd.wideIps);
  return {
    ...new ZoneFileService(dnsd, dnsd.zoneDirectory).handlers,
    show: (params) => shows.show(params) ?? gtmShows.show(params) ?? refuse(params.type),
    'dns-explain': (question) => explainQuestion(dnsd, question),
    'dns-log': (_params, { signal }) => dnsd.queryLog.follow(signal),
    'forget-persist': () => ({ clients: dnsd.wideIps.persistence.forget(() => true, Math.floor(Date.now() / 1000)) }),
    'health-change': (params) => dnsd.health.change(params),
    'health-list': (params) => dnsd.health.list(params),
    'path-resolvers': (_params, { signal }) => dnsd.resolvers.subscribe(signal),
    'reload-zones': ({ names }) => dnsd.reloadZones(names),
    'reset-stats': ({ type, names }) => ({
      objects: shows.reset(type, names) ?? gtmShows.reset(type, names) ?? refuse(type),
    }),
  };
}

function refuse(type: string): never {
  throw new IpcError('refused', `dnsd has no statistics of ${type}`);
}
