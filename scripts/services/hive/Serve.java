import java.sql.DriverManager;
import org.apache.hadoop.hive.conf.HiveConf;
import org.apache.hadoop.hive.metastore.leader.CompactorTasks;
import org.apache.hadoop.hive.metastore.leader.HouseKeepingTasks;
import org.apache.hive.service.server.HiveServer2;

/**
 * HiveServer2, and beside it what only a metastore in a process of its own runs: the end of transactions and locks of
 * clients that died, the compaction's initiator and its cleaner.
 */
public class Serve {
  public static void main(String[] args) throws Exception {
    // Derby closes its files when a thread is interrupted that uses them, as Hive does when a statement is cancelled: from
    // then on the metastore forgets what is committed. One in memory has no files.
    String metastore = System.getProperty("merganser.hive.metastore.from");
    if (metastore != null) {
      String url = "jdbc:derby:" + System.getProperty("merganser.hive.metastore") + ";createFrom=" + metastore;
      DriverManager.getConnection(url).close();
    }
    // Returns once the server has started; its threads keep the process alive.
    HiveServer2.main(args);
    HiveConf conf = new HiveConf();
    new HouseKeepingTasks(conf, true).takeLeadership(null);
    new CompactorTasks(conf, false).takeLeadership(null);
    // Who started us waits for this line.
    System.err.println("merganser: hive is ready");
  }
}
