import { readdirSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { until } from "../until.js";
import { type Engine, type Page, START_TIMEOUT } from "./engine.js";
import { findProgram, Program, TemporaryFolder } from "./program.js";
import { WebDriver } from "./webdriver.js";
import { WebKitPage } from "./webkitpage.js";

/** Starts WebKitGTK's browser on a display in memory. WebKitWebDriver drives it. */
export async function startWebKit(): Promise<Engine> {
  const driverPath = findProgram("webkit", "WEBKIT_DRIVER", "/usr/bin/WebKitWebDriver");
  const browserPath = findProgram("webkit", "WEBKIT_BROWSER", ...miniBrowsers());
  const xvfbPath = findProgram("webkit", "XVFB", "/usr/bin/Xvfb");
  const parts: Parts = { folder: new TemporaryFolder(), programs: [] };
  try {
    const display = Program.start(xvfbPath, ["-displayfd", "3", "-screen", "0", "1280x1024x24", "-nolisten", "tcp"], process.env);
    parts.programs.push(display);
    const number = await display.ready(display.line());
    const port = await freePort();
    const driver = Program.start(driverPath, ["-p", `${port}`], environment(parts.folder.path, `:${number}`));
    parts.programs.unshift(driver);
    const server = `http://127.0.0.1:${port}`;
    await driver.ready(until("the driver is ready", () => WebDriver.isReady(server), START_TIMEOUT));
    const options = { binary: browserPath, args: ["--automation"] };
    // It accepts certificates that tests make for themselves.
    const wanted = { acceptInsecureCerts: true, "webkitgtk:browserOptions": options };
    const session = await driver.ready(WebDriver.start(server, wanted));
    return new WebKit(session, await session.alone((send) => send<string>("GET", "/window")), parts);
  } catch (e) {
    await stop(parts);
    throw e;
  }
}

/** What belongs to a browser. The programs are in the order in which they end. */
interface Parts {
  folder: TemporaryFolder;
  programs: Program[];
}

class WebKit implements Engine {
  readonly name = "webkit";

  constructor(
    private driver: WebDriver,
    private window: string,
    private parts: Parts,
  ) {}

  get version(): string {
    return String(this.driver.capabilities.browserVersion);
  }

  open(url: string): Promise<Page> {
    return WebKitPage.open(this.driver, this.window, url);
  }

  async close(): Promise<void> {
    await this.driver.alone((send) => send("DELETE", "")).catch(() => {}); // the programs are ended in any case
    await stop(this.parts);
  }
}

async function stop({ folder, programs }: Parts): Promise<void> {
  for (const program of programs) await program.stop();
  folder.remove();
}

/** Returns the paths that Debian's packages use on the architectures. */
const miniBrowsers = () => readdirSync("/usr/lib").map((arch) => `/usr/lib/${arch}/webkit2gtk-4.1/MiniBrowser`);

function environment(folder: string, display: string): NodeJS.ProcessEnv {
  return {
    ...process.env,
    DISPLAY: display,
    GDK_BACKEND: "x11",
    GSETTINGS_BACKEND: "memory",
    NO_AT_BRIDGE: "1",
    HOME: folder,
    XDG_CACHE_HOME: folder,
    XDG_CONFIG_HOME: folder,
    XDG_DATA_HOME: folder,
    XDG_RUNTIME_DIR: folder,
    // WebKit's sandbox does not start for root.
    ...(process.getuid?.() === 0 && { WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: "1" }),
  };
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = createServer()
      .once("error", reject)
      .listen(0, "127.0.0.1", () => {
        const { port } = socket.address() as AddressInfo;
        socket.close(() => resolve(port));
      });
  });
}
