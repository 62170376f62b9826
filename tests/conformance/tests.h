/* the conformance tests, in the order in which they run; no include guard */
TEST(layout)
TEST(exports)
TEST(helpers)
TEST(create)
TEST(names)
TEST(connect)
TEST(accept)
TEST(early)
