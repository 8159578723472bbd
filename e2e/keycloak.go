package e2e

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// keycloakVersion is the one that the Makefile fetches.
const keycloakVersion = "26.4.0"

// startKeycloak runs Keycloak with the realms of testdata/keycloak, in memory
// and on a free port; people sign in at the first of them. The distribution's own launcher is a shell script that
// would stand between us and the process, so the virtual machine is started
// directly, with the options that matter.
func startKeycloak() (*Provider, error) {
	dist, err := part("setup", "build", "tools", "keycloak-"+keycloakVersion)
	if err != nil {
		return nil, err
	}
	java, err := command("java")
	if err != nil {
		return nil, err
	}
	home, err := keycloakHome(dist)
	if err != nil {
		return nil, err
	}
	port, release, err := ReservePort()
	if err != nil {
		removeAll(home)()
		return nil, err
	}
	defer release()
	host := "http://localhost:" + strconv.Itoa(port)
	process, err := startProcess(java, keycloakArgs(dist, home, host, port), nil)
	if err != nil {
		removeAll(home)()
		return nil, err
	}
	p := &Provider{
		Process: process, Name: "keycloak", Issuer: host + "/realms/main",
		userField: "username", passwordField: "password", release: removeAll(home),
	}
	if err := p.waitDiscovery(3 * time.Minute); err != nil {
		p.Close()
		return nil, fmt.Errorf("%w\n%s", err, p.Log.Tail(40))
	}
	return p, nil
}

// keycloakHome is a throw-away home: Keycloak writes into its own, and reads
// what to import from there; the parts that it only reads are linked.
func keycloakHome(dist string) (string, error) {
	realms, err := part("setup", "testdata", "keycloak")
	if err != nil {
		return "", err
	}
	home, err := os.MkdirTemp("", "postern-keycloak-")
	if err != nil {
		return "", fmt.Errorf("e2e: keycloak's home: %w", err)
	}
	if err := fillHome(home, dist, realms); err != nil {
		removeAll(home)()
		return "", fmt.Errorf("e2e: keycloak's home: %w", err)
	}
	return home, nil
}

func fillHome(home, dist, realms string) error {
	for _, dir := range []string{"lib", "providers", "themes", "conf"} {
		if err := os.Symlink(filepath.Join(dist, dir), filepath.Join(home, dir)); err != nil {
			return err
		}
	}
	imports := filepath.Join(home, "data", "import")
	if err := os.MkdirAll(imports, fs.FileMode(0o700)); err != nil {
		return err
	}
	return os.CopyFS(imports, os.DirFS(realms))
}

func keycloakArgs(dist, home, host string, port int) []string {
	return []string{
		"-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:+ExitOnOutOfMemoryError",
		"-Dkc.home.dir=" + home,
		"-Dkc.config.built=true", // by the set-up, with the same options
		"-Djava.util.logging.manager=org.jboss.logmanager.LogManager",
		"-Djava.util.concurrent.ForkJoinPool.common.threadFactory=io.quarkus.bootstrap.forkjoin.QuarkusForkJoinWorkerThreadFactory",
		"-Dpicocli.disable.closures=true",
		"-cp", filepath.Join(dist, "lib", "quarkus-run.jar"),
		"io.quarkus.bootstrap.runner.QuarkusEntryPoint",
		"start", "--optimized", "--import-realm", "--cache=local",
		"--http-enabled=true", "--http-host=127.0.0.1", "--http-port=" + strconv.Itoa(port), "--hostname=" + host,
	}
}
