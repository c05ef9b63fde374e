// Another analysis of a plate that has its run: whoever brings it says why, and looks at it before it
// takes the place of the run before.
//
// replacing(look)  gives offer(problem, files), which asks for the reason where a plate's run is all
//     that speaks against these files, and hide(). `look(files, { run, reason })` goes on from there.

const at = (id) => document.querySelector(`#${id}`);

export function replacing(look) {
  let offered;

  at("replace").addEventListener("submit", (event) => {
    event.preventDefault();
    if (offered) look(offered.files, { run: offered.run, reason: at("replace-reason").value });
  });

  return {
    offer(problem, files) {
      const errors = problem.errors ?? [];
      if (!errors.length || errors.some(({ code }) => code !== "run.plate_has_run")) return;
      offered = { files, run: errors[0].about };
      at("replace-reason").value = "";
      at("replace").hidden = false;
    },
    hide() {
      offered = undefined;
      at("replace").hidden = true;
    },
  };
}
