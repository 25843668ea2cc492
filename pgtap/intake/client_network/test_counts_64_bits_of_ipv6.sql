begin;
select plan(4);

select is(intake.client_network(c.address)::text, c.network, c.address)
from (values
  ('192.0.2.17', '192.0.2.17/32'),
  ('2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'),
  ('2001:db8:1:2::', '2001:db8:1:2::/64'),
  ('::1', '::/64')
) as c (address, network);

select * from finish();
rollback;
