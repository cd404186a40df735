import type { Order } from "./order.js";
import type { Far } from "./transfer.js";

/** Small calls start this often beside a transfer. A browser has six connections for HTTP/1.1, and the transfer uses one. */
const interval = ({ roundTripMs }: Order) => Math.max(10, roundTripMs / 4);

/** Measures a workload, and returns the figures by the names that the report has for them. */
export async function measure(
  order: Order,
  workload: Order["workloads"][number],
  far: Far,
  received: () => Promise<number>,
): Promise<Record<string, number>> {
  if (workload === "first") return { "first call ms": await far.first(order.target) };
  const up = workload === "upload";
  await far.start(order.target, up);
  const marks = await far.warm(up ? 0 : order.markLimitMs, order.warmupMs);
  const [began, before] = [performance.now(), up ? await received() : 0];
  const { rate, calls } = await far.measure(order.measureMs, interval(order));
  const uploaded = up ? ((await received()) - before) / 1000 / (performance.now() - began) : 0;
  await far.stop();
  return {
    ...(marks.mib !== undefined && { "first MiB ms": marks.mib }),
    ...(marks.mib16 !== undefined && { "first 16 MiB ms": marks.mib16 }),
    "MB/s": up ? uploaded : rate,
    "small call p50 ms": quantile(calls, 0.5),
    "small call p99 ms": quantile(calls, 0.99),
  };
}

/** Returns the smallest value that at least a share q of the values does not exceed. */
export function quantile(values: number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(Math.ceil(q * sorted.length), 1) - 1] ?? 0;
}
