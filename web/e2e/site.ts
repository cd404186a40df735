import { afterAll, afterEach, beforeAll, beforeEach, expect } from "vitest";
import type { Engine, Page } from "../testing/engines/index.js";
import { Server } from "../testing/server.js";
import { Tunnel } from "../testing/tunnel.js";
import { files, startBrowser } from "./browser.js";

/** A server, the tunnel that leads to it, and a page that came through the tunnel. Each test has new ones. */
export class Site {
  browser!: Engine;
  server!: Server;
  tunnel!: Tunnel;
  page!: Page;

  /** Gives the tests of this file a site. */
  static forEach(): Site {
    const site = new Site();
    beforeAll(async () => {
      site.browser = await startBrowser();
    });
    afterAll(() => site.browser?.close());
    beforeEach(async () => {
      site.server = await Server.start("-files", files);
      site.tunnel = await Tunnel.start(site.server.port);
      site.page = await site.browser.open(site.url());
    });
    afterEach(async () => {
      await site.page.close();
      await site.tunnel.stop();
      await site.server.stop();
      // No call and no connection may leave a rejection unhandled.
      expect(site.page.errors).toEqual([]);
    });
    return site;
  }

  url(path = "/"): string {
    return `http://${this.tunnel.addr}${path}`;
  }
}
