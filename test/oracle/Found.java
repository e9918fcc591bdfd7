// What Kafka tells of the records that Barnabas had to keep, when it runs again on the directory that Barnabas had.
import java.util.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.common.acl.AclBindingFilter;
import org.apache.kafka.common.quota.ClientQuotaFilter;

public class Found {
    public static void main(String[] args) throws Exception {
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", args[0]))) {
            System.out.println("acls " + new ArrayList<>(admin.describeAcls(AclBindingFilter.ANY).values().get()));
            System.out.println("scram " + admin.describeUserScramCredentials().all().get());
            System.out.println("quotas " + admin.describeClientQuotas(ClientQuotaFilter.all()).entities().get());
            System.out.println("features " + new TreeMap<>(admin.describeFeatures().featureMetadata().get().finalizedFeatures()));
        }
    }
}
