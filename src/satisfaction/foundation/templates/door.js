// Added to JupyterLab by `satisfaction lab`: the first notebook runs by itself whenever it is opened.
// JupyterLab takes a container of modules from window._JUPYTERLAB; this one holds a single plugin.
(() => {
  const NOTEBOOK = {{ notebook | tojson }};
  const RUN_ALL = "notebook:run-all-cells";
  const opened = new WeakSet();
  const pause = () => new Promise(resolve => setTimeout(resolve, 100));

  async function runs(app, panel) {
    if (panel?.context?.path !== NOTEBOOK || opened.has(panel)) return;
    opened.add(panel);
    await panel.context.ready;
    await panel.sessionContext.ready;
    while (app.shell.currentWidget !== panel || !app.commands.isEnabled(RUN_ALL)) await pause();
    await app.commands.execute(RUN_ALL);
    panel.context.model.dirty = false; // the form is no work of the reader that would have to be saved
  }

  const plugin = {
    id: {{ (name ~ ":plugin") | tojson }},
    autoStart: true,
    activate: app => {
      app.shell.currentChanged?.connect((_shell, change) => runs(app, change.newValue));
      app.restored.then(() => runs(app, app.shell.currentWidget));
    },
  };
  window._JUPYTERLAB = window._JUPYTERLAB || {};
  window._JUPYTERLAB[{{ name | tojson }}] = {
    init: () => {},
    get: () => Promise.resolve(() => ({ __esModule: true, default: plugin })),
  };
})();
