import javax.security.sasl.AuthenticationException;
import org.apache.hadoop.hive.conf.HiveConf;
import org.apache.hadoop.hive.metastore.leader.CompactorTasks;
import org.apache.hadoop.hive.metastore.leader.HouseKeepingTasks;
import org.apache.hive.service.auth.PasswdAuthenticationProvider;
import org.apache.hive.service.cli.CLIService;
import org.apache.hive.service.cli.thrift.ThriftBinaryCLIService;
import org.apache.hive.service.cli.thrift.ThriftCLIService;
import org.apache.hive.service.cli.thrift.ThriftHttpCLIService;
import org.apache.hive.service.server.HiveServer2;

/**
 * One HiveServer2 that listens at several ports, each with its own way of signing in, transport and TLS. Settings of the
 * server itself come as system properties; each argument is a door: `name=value` pairs with semicolons between them.
 */
public class Doors {
  public static void main(String[] doors) throws Exception {
    HiveServer2 server = new HiveServer2();
    server.init(new HiveConf());
    server.start();
    for (String door : doors) open(server.getCliService(), door);
    HiveConf conf = new HiveConf();
    new HouseKeepingTasks(conf, true).takeLeadership(null);
    new CompactorTasks(conf, false).takeLeadership(null);
    System.err.println("merganser: hive is ready");
  }

  private static void open(CLIService service, String door) {
    HiveConf conf = new HiveConf();
    for (String pair : door.split(";")) {
      int at = pair.indexOf('=');
      conf.set(pair.substring(0, at), pair.substring(at + 1));
    }
    boolean http = conf.get("hive.server2.transport.mode").equals("http");
    ThriftCLIService port = http ? new ThriftHttpCLIService(service) : new ThriftBinaryCLIService(service);
    port.init(conf);
    port.start();
  }

  /** `hive.server2.authentication=CUSTOM`: one user, whose password is a system property. */
  public static class Passwords implements PasswdAuthenticationProvider {
    @Override
    public void Authenticate(String user, String password) throws AuthenticationException {
      String wanted = System.getProperty("merganser.test.password." + user);
      if (wanted == null || !wanted.equals(password)) throw new AuthenticationException("wrong user or password");
    }
  }
}
