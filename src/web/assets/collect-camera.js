// Codes by the camera, where the browser can read them; what it reads goes the way of a scan.

const EVERY_MS = 150;
// The same label stays before the lens; it counts again after a moment without it.
const SAME_MS = 1500;

export async function camera(button, video, read) {
  if (!("BarcodeDetector" in window) || !navigator.mediaDevices?.getUserMedia) return;
  const known = await BarcodeDetector.getSupportedFormats();
  const formats = ["qr_code", "code_128", "data_matrix", "code_39"].filter((one) => known.includes(one));
  if (!formats.length) return;
  const detector = new BarcodeDetector({ formats });
  let stream;
  let last = { code: "", seen: 0 };

  async function look() {
    if (!stream) return;
    try {
      const [found] = await detector.detect(video);
      const now = performance.now();
      if (found && (found.rawValue !== last.code || now - last.seen > SAME_MS)) read(found.rawValue);
      if (found) last = { code: found.rawValue, seen: now };
    } catch {
      // A frame that is not there yet.
    }
    setTimeout(look, EVERY_MS);
  }

  function stop() {
    for (const track of stream?.getTracks() ?? []) track.stop();
    stream = undefined;
    video.hidden = true;
    button.setAttribute("aria-pressed", "false");
  }

  button.hidden = false;
  button.addEventListener("click", async () => {
    if (stream) return stop();
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    } catch {
      // Nobody allowed it, or there is none: the scanner and the keys are still there.
      button.hidden = true;
      return undefined;
    }
    video.srcObject = stream;
    video.hidden = false;
    button.setAttribute("aria-pressed", "true");
    await video.play();
    return look();
  });
  // Whoever puts the phone away does not film on.
  document.addEventListener("visibilitychange", () => { if (document.hidden) stop(); });
}
