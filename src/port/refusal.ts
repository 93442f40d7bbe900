// What an errno of a failed send means for the frame.

import { Drop, type Verdict } from '../core/drop-reason.ts';

/** Numbers of asm-generic/errno.h, which every architecture that Node runs on under Linux shares, save for MIPS. */
const ENXIO = 6;
const EAGAIN = 11;
const ENODEV = 19;
const EBADFD = 77;
const EMSGSIZE = 90;
const ENETDOWN = 100;
const ENETUNREACH = 101;
const ENOBUFS = 105;
const EHOSTUNREACH = 113;

/** The verdict on a frame that the kernel refused with this errno. */
export function refusalOf(errno: number): Verdict {
  switch (errno) {
    case EAGAIN:
    case ENOBUFS:
      return Drop.transmitQueueFull;
    case EMSGSIZE:
      return Drop.transmitTooLong;
    case ENXIO:
    case ENODEV:
    case EBADFD:
    case ENETDOWN:
      return Drop.portDown;
    case ENETUNREACH:
    case EHOSTUNREACH:
      return Drop.noRoute;
    default:
      return Drop.transmitError;
  }
}

/** The same by the text of the errno (strerror), which is all that some packages tell. */
export function refusalOfText(text: string): Verdict {
  if (text.includes('Message too long')) return Drop.transmitTooLong;
  if (text.includes('Network is down') || text.includes('No such device')) return Drop.portDown;
  if (text.includes('No buffer space') || text.includes('temporarily unavailable')) return Drop.transmitQueueFull;
  if (text.includes('unreachable') || text.includes('No route to host')) return Drop.noRoute;
  return Drop.transmitError;
}
