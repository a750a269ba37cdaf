// `backstage-cli package start` keeps SQLite databases in memory over restarts, by plugin. The backends of this process would get
// each other's, and with them each other's keys. This must run before the first import of Backstage.
delete process.env.BACKSTAGE_CLI_CHANNEL;
