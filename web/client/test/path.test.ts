import { describe, expect, test } from "vitest";
import { Path } from "../src/path.js";
import { asBefore, asNow, MBIT, Model } from "./pathmodel.js";

const KIB = 1024;
const MIB = KIB * KIB;

/** How long a link message takes on the link: it is sent as a whole. */
const message = (rate: number) => (32 * KIB) / rate;

describe("a path", () => {
  for (const [roundTrip, mbit] of [
    [5, 400],
    [20, 50],
    [30, 1000],
    [40, 5],
    [100, 100],
    [200, 200],
    [300, 10],
    [300, 50],
  ] as const) {
    for (const atOnce of [64 * KIB, 16 * KIB]) {
      test(`of ${roundTrip} ms and ${mbit} Mbit/s is filled and its queue is short, with ACKs for ${atOnce / KIB} KiB`, () => {
        const rate = mbit * MBIT;
        const m = new Model(roundTrip, rate, { ...asNow, atOnce });
        m.run(3000 + 20 * roundTrip);
        const { share, queued } = m.measure(30_000);
        expect(share).toBeGreaterThan(0.95);
        expect(queued).toBeLessThan(0.1 * roundTrip + 20 + 2 * message(rate));
      });
    }

    test(`of ${roundTrip} ms and ${mbit} Mbit/s is filled by a peer that acknowledges only what it must`, () => {
      const m = new Model(roundTrip, mbit * MBIT, asBefore);
      m.run(3000 + 20 * roundTrip);
      expect(m.measure(30_000).share).toBeGreaterThan(0.9);
    });

    test(`of ${roundTrip} ms and ${mbit} Mbit/s is filled though each frame is up to 10 ms late`, () => {
      const m = new Model(roundTrip, mbit * MBIT);
      let n = 0;
      m.jitter = () => (n++ * 7.3) % 10;
      m.run(3000 + 20 * roundTrip);
      expect(m.measure(30_000).share).toBeGreaterThan(0.85);
    });
  }

  test("is filled in a few round trips", () => {
    const m = new Model(100, 1e6);
    m.run(500);
    expect(m.received).toBeGreaterThan(16 * MIB);
    expect(m.path.limit).toBe(16 * MIB);
  });

  test("whose rate changes is followed", () => {
    const m = new Model(100, 100 * MBIT);
    m.run(5000);
    for (const mbit of [400, 50, 100]) {
      m.rate = mbit * MBIT;
      m.run(5000);
      const { share, queued } = m.measure(5000);
      expect(share, `${mbit} Mbit/s`).toBeGreaterThan(0.9);
      expect(queued, `${mbit} Mbit/s`).toBeLessThan(45);
    }
  });

  test("whose round trip changes is followed", () => {
    const m = new Model(50, 100 * MBIT);
    m.run(5000);
    for (const roundTrip of [150, 20, 60]) {
      m.roundTrip = roundTrip;
      m.run(12_000);
      const { share, queued } = m.measure(5000);
      expect(share, `${roundTrip} ms`).toBeGreaterThan(0.9);
      expect(queued, `${roundTrip} ms`).toBeLessThan(45);
    }
  });

  test("on which the application sends little keeps its limit", () => {
    const m = new Model(100, 100 * MBIT, asNow, 0);
    for (let i = 0; i < 600; i++) {
      m.backlog = 100 * KIB;
      m.run(100);
    }
    expect(m.path.limit).toBeGreaterThanOrEqual(MIB);
  });

  test("learns nothing from a late ACK of the last bytes", () => {
    const m = new Model(20, 50 * MBIT);
    m.run(5000);
    for (let i = 0; i < 20; i++) {
      m.backlog = 1.1 * MIB + 100;
      m.run(3000); // its last frame is acknowledged after half a second
    }
    m.backlog = Infinity;
    m.run(2000);
    const { share, queued } = m.measure(5000);
    expect(share).toBeGreaterThan(0.95);
    expect(queued).toBeLessThan(35);
  });

  test("has a limit from 64 KiB up to 16 times the first one", () => {
    const path = new Path(MIB);
    for (let now = 0; now < 100_000; now += 100) {
      path.ack(now, now - 90 - now / 100, path.limit, 16 * KIB, 48 * KIB);
      expect(path.limit).toBeGreaterThanOrEqual(64 * KIB);
    }
    for (let now = 200_000; now < 300_000; now += 100) path.ack(now, now - 20, path.limit, 64 * KIB, 64 * KIB);
    expect(path.limit).toBe(16 * MIB);
  });

  test("to a peer that acknowledges rarely gets twice what one ACK covers", () => {
    const path = new Path(64 * KIB);
    path.ack(1000, 500, 64 * KIB, 64 * KIB, 0);
    expect(path.limit).toBe(128 * KIB);
  });

  test("that carries small calls alone keeps its limit, however late they are acknowledged", () => {
    const path = new Path(MIB);
    for (let now = 0; now < 100_000; now += 100) {
      path.ack(now, now - 20, 200, 200, 0);
      path.ack(now, now - 500, 400, 200, 200);
    }
    expect(path.limit).toBe(MIB);
  });
});
