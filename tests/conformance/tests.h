/* the conformance tests, in the order in which they run; no include guard */
TEST(helpers)
TEST(connect)
