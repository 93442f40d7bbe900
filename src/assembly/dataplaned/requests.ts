// What dataplaned answers on its socket.

import { IpcError } from '../../ipc/ipc-error.ts';
import type { Handlers } from '../../ipc/ipc-server.ts';
import { CaptureReader } from '../../pipeline/capture.ts';
import { allCapturePoints, findCapturePoints } from './capture-points.ts';
import { CaptureService } from './capture-service.ts';
import type { Dataplaned } from './dataplaned.ts';
import { KeyExchangeService } from './key-exchange-service.ts';
import { IpsecService } from './ipsec-service.ts';
import { ShowService } from './show-service.ts';

export function handlersOf(dataplaned: Dataplaned): Handlers {
  const { sources } = dataplaned;
  const shows = new ShowService(sources);
  const ipsec = new IpsecService(dataplaned.ipsec);
  const keyExchange = new KeyExchangeService(dataplaned.keyExchange);
  const captures = new CaptureService(new CaptureReader(sources().worker.capture), {
    find: (name) => findCapturePoints(sources(), name),
    all: () => allCapturePoints(sources()),
  });
  return {
    show: (params) => shows.show(params) ?? refuse(params.type),
    'reset-stats': ({ type, names }) => ({ objects: shows.reset(type, names) ?? refuse(type) }),
    associations: ({ filter, cursor }) => ipsec.list(filter, cursor),
    'delete-associations': async ({ filter }) => ({ associations: await ipsec.remove(filter) }),
    'add-association': async (params) => {
      await dataplaned.addAssociation(params);
      return null;
    },
    'key-exchange': (params, context) => keyExchange.register(params, context),
    'send-key-exchange': async (params) => {
      await keyExchange.send(params);
      return null;
    },
    'locate-stations': async ({ addresses }) => ({ stations: await dataplaned.stations.locate(addresses) }),
    'ipsec-totals': () => ({ totals: [...ipsec.totals()] }),
    capture: (params, context) => captures.capture(params, context),
  };
}

function refuse(type: string): never {
  throw new IpcError('refused', `dataplaned has no statistics of ${type}`);
}
